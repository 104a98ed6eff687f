#!/bin/sh
# Builds dav1d from $SOURCE as a static library under $PREFIX, into $OUT.
set -eu

cd "$BUILD"
meson setup build "$SOURCE"/* --prefix="$PREFIX" --libdir=lib --buildtype=release \
    --default-library=static -Denable_tools=false -Denable_tests=false
ninja -C build
DESTDIR="$OUT" ninja -C build install

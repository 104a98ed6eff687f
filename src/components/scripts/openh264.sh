#!/bin/sh
# Builds OpenH264 from $SOURCE as a static library under $PREFIX, into $OUT.
set -eu

cd "$BUILD"
meson setup build "$SOURCE"/* --prefix="$PREFIX" --libdir=lib --buildtype=release \
    --default-library=static -Dtests=disabled
ninja -C build
DESTDIR="$OUT" ninja -C build install

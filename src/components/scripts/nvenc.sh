#!/bin/sh
# Installs NVIDIA's headers for FFmpeg from $SOURCE under $PREFIX, into $OUT. There is nothing to compile, but a file is
# written beside the sources, which are read-only.
set -eu

cp -R "$SOURCE"/*/. "$BUILD"
make -C "$BUILD" install PREFIX="$PREFIX" DESTDIR="$OUT"

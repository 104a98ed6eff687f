#!/bin/sh
# Installs NVIDIA's headers for FFmpeg from $SOURCE under $PREFIX, into $OUT. There is nothing to compile.
set -eu

make -C "$SOURCE"/* install PREFIX="$PREFIX" DESTDIR="$OUT"

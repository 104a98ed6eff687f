#!/bin/sh
# Builds FFmpeg from $SOURCE under $PREFIX, into $OUT, with the configure flags given as arguments, linked with
# $EXTRA_LIBS besides. Only what runs is kept: no headers, no examples.
set -eu

cd "$BUILD"
sh "$SOURCE"/*/configure --prefix="$PREFIX" --enable-shared --disable-static --disable-doc \
    --disable-debug --extra-libs="$EXTRA_LIBS" "$@"
make -j"$(nproc)"
make install DESTDIR="$OUT"
rm -rf "$OUT$PREFIX/include" "$OUT$PREFIX/lib/pkgconfig" "$OUT$PREFIX/share/ffmpeg/examples"

#!/bin/sh
# Builds FFmpeg from $SOURCE under $PREFIX, into $OUT, with the configure flags given as arguments. Only what runs is
# kept: no headers, no examples. The static libraries of other branches need libm and threads; `pkg-config --static`
# would tell so, but would ask for the static parts of the distribution's libraries as well.
set -eu

cd "$BUILD"
sh "$SOURCE"/*/configure --prefix="$PREFIX" --enable-shared --disable-static --disable-doc \
    --disable-debug --extra-libs="-lm -lpthread" "$@"
make -j"$(nproc)"
make install DESTDIR="$OUT"
rm -rf "$OUT$PREFIX/include" "$OUT$PREFIX/lib/pkgconfig" "$OUT$PREFIX/share/ffmpeg/examples"

#!/bin/sh
# Builds SVT-AV1 from $SOURCE as a static library under $PREFIX, into $OUT. Without link-time optimisation, which would
# be done again in every link with the library, on one core.
set -eu

cd "$BUILD"
cmake -G Ninja "$SOURCE"/* -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$PREFIX" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_OUTPUT_DIRECTORY="$BUILD/bin" \
    -DBUILD_SHARED_LIBS=OFF -DBUILD_APPS=OFF -DBUILD_DEC=OFF -DSVT_AV1_LTO=OFF
ninja
DESTDIR="$OUT" ninja install

#!/bin/sh
# Builds CPython from $SOURCE for installation under $PREFIX, into $OUT. $OPTIMIZE=1 asks for PGO and LTO.
set -eu

cd "$BUILD"
set -- --prefix="$PREFIX" --enable-shared --with-ensurepip=install --disable-test-modules \
    --without-static-libpython "LDFLAGS=-Wl,-rpath,$PREFIX/lib"
if [ "${OPTIMIZE:-0}" = 1 ]; then
    set -- "$@" --enable-optimizations --with-lto
fi
sh "$SOURCE"/*/configure "$@"
make -j"$(nproc)"
make install DESTDIR="$OUT"
ln -s python3 "$OUT$PREFIX/bin/python"
[ -e "$OUT$PREFIX/bin/pip" ] || ln -s pip3 "$OUT$PREFIX/bin/pip"
# The scripts of pip are written for the place where they were installed.
grep -rlI "^#!$OUT" "$OUT$PREFIX/bin" | while IFS= read -r script; do
    sed -i "1s|^#!$OUT|#!|" "$script"
done
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +

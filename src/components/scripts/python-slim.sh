#!/bin/sh
# Copies Python from $TREE to $OUT without what a node does not use: IDLE, the demos of its turtle, tests, static
# archives; and without the symbols of its programs and libraries, which only debuggers read. It was compiled here, so
# nothing but the linker has laid out its files, and stripping them is safe. `ensurepip` stays: `venv` needs it.
set -eu

cp -a "$TREE/." "$OUT/"
cd "$OUT$PREFIX"
rm -rf lib/python3.*/idlelib lib/python3.*/turtledemo lib/python3.*/test bin/idle3*
find . -name '*.a' -type f -delete
find bin lib -type f \( -path 'bin/python3*' -o -name '*.so' -o -name '*.so.*' \) | while IFS= read -r file; do
    if readelf -h "$file" >/dev/null 2>&1; then
        strip -p --strip-unneeded "$file"
    fi
done

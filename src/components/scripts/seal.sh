#!/bin/sh
# Writes the index of the shared libraries of the assembled root, which is / here, to $OUT/etc/ld.so.cache, and makes
# the directory $WORKDIR if there is none.
set -eu

mkdir -p "$OUT/etc"
ldconfig -X -C "$OUT/etc/ld.so.cache"
[ -d "$WORKDIR" ] || mkdir -p "$OUT$WORKDIR"
find "$OUT" -exec touch -h -d @0 {} +

#!/bin/sh
# Unpacks the packages $DEBS/*.deb into $OUT, without their maintainers' scripts. Files that fit a pattern of $DROP and
# none of $KEEP (file names, separated by blanks) are left out.
set -eu

for deb in "$DEBS"/*.deb; do
    dpkg-deb -x "$deb" "$OUT"
done
# Where /lib and the like are links of the base image, what lies in such a directory belongs behind the link.
for directory in bin lib lib32 lib64 libx32 sbin; do
    if [ -L "/$directory" ] && [ -d "$OUT/$directory" ] && [ ! -L "$OUT/$directory" ]; then
        mkdir -p "$OUT/usr/$directory"
        cp -a "$OUT/$directory/." "$OUT/usr/$directory/"
        rm -rf "${OUT:?}/$directory"
    fi
done
set -f
for pattern in ${DROP:-}; do
    set -- "$OUT" ! -type d -name "$pattern"
    for kept in ${KEEP:-}; do
        set -- "$@" ! -name "$kept"
    done
    find "$@" -delete
done

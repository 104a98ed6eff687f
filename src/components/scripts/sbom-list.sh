#!/bin/sh
# Lists what is in the root, which is / here, by what it says about itself. Writes to $OUT
#   debs    lines `PACKAGE ARCHITECTURE VERSION` for the packages that dpkg has installed.
#   python  for each Python package a line `File: PATH` and those of `Name:`, `Version:`, `License-Expression:` and
#           `License:` that its metadata has.
#   local   lines `SHA-256 FILE` for the wheels of the directory $LOCAL, if it is set.
set -eu

export LC_ALL=C
dpkg-query -W -f '${db:Status-Status} ${Package} ${Architecture} ${Version}\n' |
    sed -n 's/^installed //p' | sort >"$OUT/debs"

# Packages that others carry inside themselves are those others' parts.
find / -xdev -path '*-packages/*.dist-info/METADATA' -type f |
    grep -E '/(site|dist)-packages/[^/]+\.dist-info/METADATA$' | sort >"$OUT/files"
while IFS= read -r file; do
    printf 'File: %s\n' "$file"
    # What lies below the first empty line is prose.
    awk '
        { gsub(/[[:cntrl:]]/, "") }
        /^$/ { exit }
        /^(Name|Version|License-Expression|License): / { print }
    ' "$file"
done <"$OUT/files" >"$OUT/python"
rm "$OUT/files"

: >"$OUT/local"
[ -z "${LOCAL:-}" ] || (cd "$LOCAL" && sha256sum -- *.whl) | sed 's/^\([0-9a-f]*\) [ *]/\1 /' >"$OUT/local"
find "$OUT" -exec touch -h -d @0 {} +

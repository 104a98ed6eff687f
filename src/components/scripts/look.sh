#!/bin/sh
# Looks at the tree $1, for those who come after and do not have it. Writes to $OUT
#   needs/libraries  lines `SONAME FILE` for the libraries that the tree's ELF files need, without those that are in the tree,
#                    and the first file that needs it; with $LIBRARIES=names no files, so that another one that needs the
#                    same leaves the list as it is; with $LIBRARIES=none nothing.
#   has/files        lines `TYPE DIGEST PATH` for directories (`d`), links (`l`) and everything else (`f`); only small
#                    files have a digest, all others `-`.
set -eu

# Lines `SONAME FILE` for what ELF files need. One file alone readelf would not name, hence another one.
entries() {
    find "$1" -type f -size +63c \( -perm -100 -o -name '*.so*' \) -exec readelf -d /bin/sh {} + 2>/dev/null | awk '
        /^File: / { file = substr($0, 7) }
        /\(NEEDED\)/ && file != "/bin/sh" {
            sub(/.*\[/, "")
            sub(/\]$/, "")
            print $0, file
        }'
}

list_libraries() {
    find "$1" \( -type f -o -type l \) -name '*.so*' | sed 's|.*/||' >"$work/own"
    entries "$1" | LC_ALL=C sort -u >"$work/needed"
    awk -v libraries="$LIBRARIES" '
        FILENAME == ARGV[1] { own[$0]; next }
        $1 in own || $1 in seen { next }
        {
            seen[$1]
            print libraries == "files" ? $0 : $1
        }
    ' "$work/own" "$work/needed"
}

list_files() (
    cd "$1"
    find . -mindepth 1 -type d -printf 'd - /%P\n'
    find . -type f -size -65537c -exec sha256sum {} + | sed 's|^\\\{0,1\}\([0-9a-f]*\)  \.|f \1 |'
    find . -type l -printf 'l - /%P\n'
    find . ! -type d ! -type l ! \( -type f -size -65537c \) -printf 'f - /%P\n'
)

work=$(mktemp -d)
mkdir "$OUT/needs" "$OUT/has"
: >"$OUT/needs/libraries"
[ "$LIBRARIES" = none ] || list_libraries "$1" >"$OUT/needs/libraries"
list_files "$1" | LC_ALL=C sort >"$OUT/has/files"
find "$OUT" -exec touch -d @0 {} +
rm -rf "$work"
cat "$OUT/needs/libraries"

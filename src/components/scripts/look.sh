#!/bin/sh
# Looks at the tree $1, for those who come after and do not have it. Writes to $OUT
#   needs/packages  the distribution's packages that own the libraries which the tree's ELF files need. Runs where the
#                   files were built, so that every library has an owner. Libraries found in the tree are left out.
#                   With $LIBRARIES=optional a library that nobody owns is told, not an error; with `none` nobody looks.
#   has/files       lines `TYPE DIGEST PATH` for directories (`d`) and everything else (`f`); only small files have a
#                   digest, the others `-`.
set -eu

# "soname file" for each entry of each ELF file.
entries() {
    find "$1" -type f -size +63c \( -perm -100 -o -name '*.so*' \) | while IFS= read -r file; do
        readelf -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | sed "s|\$| $file|"
    done
}

# The package that owns a library. The index may name it below /lib, dpkg below /usr/lib, or the other way round.
owner() {
    real=$(realpath "$1")
    for path in "$1" "$real" "/usr$1" "/usr$real" "${1#/usr}" "${real#/usr}"; do
        # Diversions are listed among the owners: one is a place, not a package.
        found=$(dpkg-query -S "$path" 2>/dev/null | sed -n '/^diversion by /d; s/[:,].*//p' | head -n 1)
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
    done
    return 1
}

find_packages() {
    find "$1" \( -type f -o -type l \) -name '*.so*' | sed 's|.*/||' | sort -u >"$work/own"
    entries "$1" | sort -u -k1,1 >"$work/needed"
    ldconfig -p >"$work/index"
    while read -r soname file; do
        if grep -Fxq -- "$soname" "$work/own"; then
            continue
        fi
        path=$(awk -v soname="$soname" '$1 == soname { print $NF; exit }' "$work/index")
        if [ -n "$path" ] && package=$(owner "$path"); then
            echo "$package" >>"$work/packages"
        else
            echo "edgenode: no package has $soname, which $file needs" >&2
            [ "$LIBRARIES" = optional ] || exit 1
        fi
    done <"$work/needed"
}

list_files() (
    cd "$1"
    find . -mindepth 1 -type d -printf 'd - /%P\n'
    find . -type f -size -65537c -exec sha256sum {} + | sed 's|^\\\{0,1\}\([0-9a-f]*\)  \.|f \1 |'
    find . ! -type d ! \( -type f -size -65537c \) -printf 'f - /%P\n'
)

work=$(mktemp -d)
mkdir "$OUT/needs" "$OUT/has"
: >"$work/packages"
[ "$LIBRARIES" = none ] || find_packages "$1"
sort -u "$work/packages" >"$OUT/needs/packages"
list_files "$1" | LC_ALL=C sort >"$OUT/has/files"
find "$OUT" -exec touch -d @0 {} +
rm -rf "$work"
cat "$OUT/needs/packages"

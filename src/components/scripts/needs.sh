#!/bin/sh
# Writes to $OUT/packages the distribution's packages that own the libraries which the ELF files below the arguments
# need. Runs where the files were built, so that every library has an owner. Libraries found in the trees are left
# out. With $ALLOW_MISSING=1 a library that nobody owns is told, not an error.
set -eu

# "soname file" for each entry of each ELF file.
entries() {
    find "$@" -type f -size +63c \( -perm -100 -o -name '*.so*' \) | while IFS= read -r file; do
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

work=$(mktemp -d)
find "$@" \( -type f -o -type l \) -name '*.so*' | sed 's|.*/||' | sort -u >"$work/own"
entries "$@" | sort -u -k1,1 >"$work/needed"
ldconfig -p >"$work/index"
: >"$work/packages"
while read -r soname file; do
    if grep -Fxq -- "$soname" "$work/own"; then
        continue
    fi
    path=$(awk -v soname="$soname" '$1 == soname { print $NF; exit }' "$work/index")
    if [ -n "$path" ] && package=$(owner "$path"); then
        echo "$package" >>"$work/packages"
    elif [ "${ALLOW_MISSING:-0}" = 1 ]; then
        echo "edgenode: no package has $soname, which $file needs" >&2
    else
        echo "edgenode: no package has $soname, which $file needs" >&2
        exit 1
    fi
done <"$work/needed"
sort -u "$work/packages" >"$OUT/packages"
touch -d @0 "$OUT/packages"
rm -rf "$work"
cat "$OUT/packages"

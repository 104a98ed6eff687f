#!/bin/sh
# Looks at the tree $1, for those who come after and do not have it. Writes to $OUT
#   needs/packages  the distribution's packages that own the libraries which the tree's ELF files need. Runs where the
#                   files were built, so that every library has an owner. Libraries found in the tree are left out.
#                   With $LIBRARIES=optional a library that nobody owns is told, not an error; with `none` nobody looks.
#   has/files       lines `TYPE DIGEST PATH` for directories (`d`), links (`l`) and everything else (`f`); only small
#                   files have a digest, all others `-`.
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

# Finds all owners at once: each question to dpkg reads its whole database.
find_packages() {
    find "$1" \( -type f -o -type l \) -name '*.so*' | sed 's|.*/||' >"$work/own"
    entries "$1" | sort -u -k1,1 >"$work/needed"
    ldconfig -p >"$work/index"
    # Lines `PATH SONAME FILE`, with `-` for a path that the index does not have.
    awk '
        FILENAME == ARGV[1] { own[$0]; next }
        FILENAME == ARGV[2] { if (!($1 in path)) path[$1] = $NF; next }
        !($1 in own) { print (($1 in path) ? path[$1] : "-"), $0 }
    ' "$work/own" "$work/index" "$work/needed" >"$work/wanted"
    # The index may name a library below /lib, dpkg below /usr/lib, or the other way round.
    cut -d' ' -f1 "$work/wanted" | grep -v '^-$' | sort -u >"$work/paths" || true
    xargs -r realpath -m <"$work/paths" >"$work/real"
    paste -d' ' "$work/paths" "$work/real" | awk '
        {
            for (i = 1; i <= 2; i++) print $1, $i
            for (i = 1; i <= 2; i++) print $1, "/usr" $i
            for (i = 1; i <= 2; i++) if ($i ~ /^\/usr\//) print $1, substr($i, 5)
        }
    ' >"$work/places"
    cut -d' ' -f2 "$work/places" | sort -u | xargs -r dpkg-query -S >"$work/owners" 2>/dev/null || true
    awk -v missing="$work/missing" '
        # Diversions are listed among the owners: one is a place, not a package.
        FILENAME == ARGV[1] && /^diversion by / { next }
        FILENAME == ARGV[1] {
            package = $0
            sub(/[:,].*/, "", package)
            owner[$NF] = package
            next
        }
        FILENAME == ARGV[2] { if (!($1 in found) && $2 in owner) found[$1] = owner[$2]; next }
        $1 in found { print found[$1]; next }
        { print "edgenode: no package has " $2 ", which " substr($0, length($1 $2) + 3) " needs" >missing }
    ' "$work/owners" "$work/places" "$work/wanted" | sort -u >"$OUT/needs/packages"
    [ -f "$work/missing" ] || return 0
    cat "$work/missing" >&2
    [ "$LIBRARIES" = optional ] || exit 1
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
: >"$OUT/needs/packages"
[ "$LIBRARIES" = none ] || find_packages "$1"
list_files "$1" | LC_ALL=C sort >"$OUT/has/files"
find "$OUT" -exec touch -d @0 {} +
rm -rf "$work"
cat "$OUT/needs/packages"

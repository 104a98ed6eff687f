#!/bin/sh
# Finds the distribution's packages that own the libraries in the lists $1/NAME/libraries (see look.sh), and writes them to
# $OUT/packages. Runs where the files were built, so that every library has an owner. With $OPTIONAL a library that nobody
# owns is told, not an error.
set -eu

work=$(mktemp -d)
: >"$OUT/packages"
# Lines `SONAME NEEDED-BY`, each library once.
for list in "$1"/*/libraries; do
    name=${list%/libraries}
    awk -v name="${name##*/}" '{ print $1, (NF > 1 ? substr($0, length($1) + 2) : name) }' "$list"
done | LC_ALL=C sort -u -k1,1 >"$work/needed"
ldconfig -p >"$work/index"
# Lines `PATH SONAME NEEDED-BY`, with `-` for a path that the index does not have.
awk '
    FILENAME == ARGV[1] { if (!($1 in path)) path[$1] = $NF; next }
    { print (($1 in path) ? path[$1] : "-"), $0 }
' "$work/index" "$work/needed" >"$work/wanted"
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
# All owners at once: each question to dpkg reads its whole database.
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
' "$work/owners" "$work/places" "$work/wanted" | sort -u >"$OUT/packages"
if [ -f "$work/missing" ]; then
    cat "$work/missing" >&2
    [ -n "${OPTIONAL:-}" ] || exit 1
fi
find "$OUT" -exec touch -d @0 {} +
rm -rf "$work"
cat "$OUT/packages"

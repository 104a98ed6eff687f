#!/bin/sh
# Writes what the parts of the assembled root, which is / here, have in common, to $OUT: the index of the shared libraries
# (with those in the directories given as arguments, which programs then find by themselves), and dpkg's database with
# the packages of $RECORDS, which were unpacked and not installed. Makes the directory $WORKDIR if there is none.
set -eu

mkdir -p "$OUT/etc"
if [ $# -gt 0 ]; then
    mkdir -p "$OUT/etc/ld.so.conf.d"
    printf '%s\n' "$@" >"$OUT/etc/ld.so.conf.d/edgenode.conf"
fi
ldconfig -X -C "$OUT/etc/ld.so.cache" "$@"

dpkg=/var/lib/dpkg
for record in "${RECORDS:-/nonexistent}"/*/; do
    [ -f "$record/status" ] || continue
    sed -n 's/^Package: //p' "$record/status" | while IFS= read -r package; do
        if dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qvx -e not-installed -e config-files; then
            echo "edgenode: the package $package is unpacked, but the base image or the system has it, too" >&2
            exit 1
        fi
    done
    mkdir -p "$OUT$dpkg/info"
    [ -f "$OUT$dpkg/status" ] || cp "$dpkg/status" "$OUT$dpkg/status"
    # What the database says of a package that was removed is no longer so.
    awk '
        FILENAME == ARGV[1] {
            if (/^Package: /) unpacked[$0]
            next
        }
        { split($0, lines, "\n") }
        !(lines[1] in unpacked) { print $0 "\n" }
    ' "$record/status" RS= "$OUT$dpkg/status" >"$OUT$dpkg/status.new"
    mv "$OUT$dpkg/status.new" "$OUT$dpkg/status"
    cat "$record/status" >>"$OUT$dpkg/status"
    cp "$record"/info/* "$OUT$dpkg/info/"
done

[ -d "$WORKDIR" ] || mkdir -p "$OUT$WORKDIR"
find "$OUT" -exec touch -h -d @0 {} +

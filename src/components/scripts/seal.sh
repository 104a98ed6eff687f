#!/bin/sh
# Checks that the trees in $TREES fit together and on $SYSTEM, then writes the index of the shared libraries of the
# assembled root, which is / here, to $OUT/etc/ld.so.cache, and makes the directory $WORKDIR if there is none.
set -eu

work=$(mktemp -d)
for tree in "$TREES"/*; do
    [ -d "$tree" ] || continue
    (cd "$tree" && find . ! -type d) | sed 's|^\.||' >>"$work/owned"
    # A directory over a link of the system would replace the link, and with it all that lies behind it.
    (cd "$tree" && find . -type d) | sed 's|^\.||' | while IFS= read -r directory; do
        if [ -n "$directory" ] && [ -L "$SYSTEM$directory" ]; then
            echo "edgenode: ${tree##*/} has the directory $directory, which is a link in the base image" >&2
            exit 1
        fi
    done
done
if [ -f "$work/owned" ]; then
    twice=$(sort "$work/owned" | uniq -d | head -n 10)
    if [ -n "$twice" ]; then
        echo "edgenode: more than one component has these files:" >&2
        echo "$twice" >&2
        exit 1
    fi
fi
rm -rf "$work"
mkdir -p "$OUT/etc"
ldconfig -X -C "$OUT/etc/ld.so.cache"
[ -d "$WORKDIR" ] || mkdir -p "$OUT$WORKDIR"
find "$OUT" -exec touch -h -d @0 {} +

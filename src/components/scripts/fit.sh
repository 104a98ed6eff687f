#!/bin/sh
# Checks that the trees in $TREES fit together, and on the system, which is / here. Writes nothing.
set -eu

owned=$(mktemp)
for tree in "$TREES"/*; do
    [ -d "$tree" ] || continue
    (cd "$tree" && find . ! -type d) | sed 's|^\.||' >>"$owned"
    # A directory over a link of the system would replace the link, and with it all that lies behind it.
    (cd "$tree" && find . -mindepth 1 -type d) | sed 's|^\.||' | while IFS= read -r directory; do
        if [ -L "$directory" ]; then
            echo "edgenode: ${tree##*/} has the directory $directory, which is a link in the base image" >&2
            exit 1
        fi
    done
done
twice=$(sort "$owned" | uniq -d | head -n 10)
rm -f "$owned"
if [ -n "$twice" ]; then
    echo "edgenode: more than one component has these files:" >&2
    echo "$twice" >&2
    exit 1
fi

#!/bin/sh
# Writes to $OUT an index (PEP 503) of the wheels in $WHEELS, with their digests. Says which files are none.
set -eu

found=0
for file in "$WHEELS"/*; do
    name=${file##*/}
    case $name in
        *[!A-Za-z0-9._+!-]* | -* | *.whl.whl) ;;
        *-*-*-*-*.whl)
            package=$(printf %s "${name%%-*}" | tr 'A-Z._' 'a-z--' | tr -s -)
            digest=$(sha256sum "$file")
            mkdir -p "$OUT/$package"
            echo "<a href=\"file://$file#sha256=${digest%% *}\">$name</a>" >>"$OUT/$package/index.html"
            found=1
            continue
            ;;
    esac
    echo "edgenode: $name in the wheelhouse is no wheel, and nothing looks at it" >&2
done
if [ "$found" -eq 0 ]; then
    echo "edgenode: the build context \`wheelhouse\` has no wheels" >&2
    exit 1
fi
find "$OUT" -exec touch -d @0 {} +

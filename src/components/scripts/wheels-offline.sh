#!/bin/sh
# Installs wheels that are there already, as the arguments tell uv (nothing without any), with $UV for the interpreter
# $PYTHON, into $OUT. What they depend on is among them, or installed elsewhere. Offline. $SLIM, if set, is a program that
# frees them of what nothing loads.
set -eu

export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
[ $# -gt 0 ] || exit 0
install() {
    "$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --offline --no-index --no-cache --only-binary :all: \
        --link-mode copy --no-compile-bytecode --no-deps "$@"
}
install "$@"
# Of packages that share a file the last one by name has it, as if they were installed one after another: uv writes them
# side by side.
find "$OUT" -path '*.dist-info/RECORD' | LC_ALL=C sort | while IFS= read -r record; do
    sed "s|,.*|,$record|" "$record"
done | awk -F, '
    ($1 in owner) && owner[$1] != $2 {
        print owner[$1]
        print $2
    }
    { owner[$1] = $2 }
' | LC_ALL=C sort -u >/tmp/sharing
while IFS= read -r record; do
    package=$(sed -n 's/^[Nn][Aa][Mm][Ee]: *//p;/^$/q' "${record%/*}/METADATA" | head -n 1 | tr -d '\r')
    install -q --reinstall-package "$package" "$@" </dev/null
done </tmp/sharing
rm /tmp/sharing
# The distribution's own Python looks for packages in $SITE, which is set for no other.
[ -z "${SITE:-}" ] || mv "$OUT$PREFIX"/lib/python3.*/site-packages "$OUT$SITE"
# The installer's lock is in every tree.
rm -f "$OUT$PREFIX/.lock"
[ -z "${SLIM:-}" ] || "$PYTHON" -B "$SLIM" "$OUT$PREFIX"
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +
# uv notes where a wheel's file was and when it was made, which differs from builder to builder.
find "$OUT" \( -path '*.dist-info/uv_cache.json' -o -path '*.dist-info/direct_url.json' \) | while IFS= read -r note; do
    rm "$note"
    sed -i "\|\.dist-info/${note##*/},|d" "${note%/*}/RECORD"
done
# One time for all files gives the same layer whenever the same wheels are installed.
find "$OUT" -mindepth 1 -exec touch -h -d @315532800 {} +

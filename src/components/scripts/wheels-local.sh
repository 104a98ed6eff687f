#!/bin/sh
# Installs the wheel $WHEEL, which lies in the build context, with $UV for the interpreter $PYTHON, into $OUT. What it
# depends on is installed elsewhere. Offline. $SLIM, if set, is a program that frees it of what nothing loads.
set -eu

export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
"$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --offline --no-index --no-cache --link-mode copy \
    --no-compile-bytecode --no-deps "$WHEEL"
rm -f "$OUT$PREFIX/.lock"
[ -z "${SLIM:-}" ] || "$PYTHON" -B "$SLIM" "$OUT$PREFIX"
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +
# uv notes where the file was and when it was made, which says nothing in the image.
find "$OUT" \( -path '*.dist-info/uv_cache.json' -o -path '*.dist-info/direct_url.json' \) | while IFS= read -r note; do
    rm "$note"
    sed -i "\|\.dist-info/${note##*/},|d" "${note%/*}/RECORD"
done
# One time for all files gives the same layer whenever the same wheels are installed.
find "$OUT" -mindepth 1 -exec touch -h -d @315532800 {} +

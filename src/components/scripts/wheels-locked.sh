#!/bin/sh
# Installs the wheels below $WHEELS that the list $REQUIREMENTS names, with the digests that it has, with $UV for the
# interpreter $PYTHON, into $OUT. Offline. $SLIM, if set, is a program that frees them of what nothing loads.
set -eu

export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
[ -s "$REQUIREMENTS" ] || exit 0
"$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --offline --no-index --find-links "$WHEELS" --no-cache \
    --only-binary :all: --link-mode copy --no-compile-bytecode --no-deps --require-hashes --requirements "$REQUIREMENTS"
# The installer's lock is in every tree.
rm -f "$OUT$PREFIX/.lock"
[ -z "${SLIM:-}" ] || "$PYTHON" -B "$SLIM" "$OUT$PREFIX"
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +
# It notes when the wheel's file was made, which differs from builder to builder.
find "$OUT" -path '*.dist-info/uv_cache.json' | while IFS= read -r note; do
    rm "$note"
    sed -i '\|\.dist-info/uv_cache\.json,|d' "${note%/*}/RECORD"
done
# One time for all files gives the same layer whenever the same wheels are installed.
find "$OUT" -mindepth 1 -exec touch -h -d @315532800 {} +

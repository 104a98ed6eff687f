#!/bin/sh
# Makes a virtual environment of the distribution's Python, which must be of the series $SERIES, for the place $PREFIX,
# into $OUT.
set -eu

found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$found" != "$SERIES" ]; then
    echo "edgenode: the distribution has Python $found, not $SERIES" >&2
    exit 1
fi
# Its scripts name the place where it is made, so it is made there.
python3 -m venv "$PREFIX"
find "$PREFIX" -name __pycache__ -type d -prune -exec rm -rf {} +
mkdir -p "$OUT${PREFIX%/*}"
mv "$PREFIX" "$OUT${PREFIX%/*}/"

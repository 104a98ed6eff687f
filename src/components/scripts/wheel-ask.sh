#!/bin/sh
# Writes to $OUT/requirements.txt what a Python project asks for besides what it says that it is built with, offline, with the
# interpreter $PYTHON and what is installed beside it.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheel-project.sh
. "${0%/*}/wheel-project.sh"
enter_copy
# What it prints is for people.
"$PYTHON" -B "${0%/*}/wheel-ask.py" "$OUT/requirements.txt" >&2
touch -d @0 "$OUT/requirements.txt"
cat "$OUT/requirements.txt"

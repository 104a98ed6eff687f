#!/bin/sh
# Builds the wheel of the Python package $NAME into $OUT, offline, with the interpreter $PYTHON and what is installed beside
# it.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheel-project.sh
. "${0%/*}/wheel-project.sh"
enter_copy
"$PYTHON" -m pip wheel --no-deps --no-build-isolation --wheel-dir "$OUT" .
built=$(cd "$OUT" && echo *.whl)
normal=$(echo "${built%%-*}" | tr 'A-Z._' 'a-z--' | tr -s -)
if [ "$normal" != "$NAME" ]; then
    echo "edgenode: the project is the package $normal, not $NAME" >&2
    exit 1
fi

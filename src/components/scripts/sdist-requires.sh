#!/bin/sh
# Installs the packages of $INPUTS/requirements.txt and those that the project in $SOURCE names, if there is one, and what
# they depend on, with $UV for the interpreter $PYTHON into $OUT: what a package is built with. Only published wheels are
# taken, each with the digest that the index has for it. The versions of $INPUTS/preferences.txt, if there is one, are kept
# where they still fit.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheels-compile.sh
. "${0%/*}/wheels-compile.sh"
complete_requirements
# A lock is made of what indexes have now.
[ -z "${SESSION:-}" ] || pages=--refresh
# uv keeps the versions that its output file has already.
[ ! -e "$INPUTS/preferences.txt" ] || cp "$INPUTS/preferences.txt" "$work/chosen.txt"
compile "$work/chosen.txt" --generate-hashes "$INPUTS/requirements.txt"
"$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --only-binary :all: --link-mode copy \
    --no-compile-bytecode --no-deps --require-hashes --requirements "$work/chosen.txt"
# The distribution's own Python looks for packages in $SITE, which is set for no other.
[ -z "${SITE:-}" ] || [ ! -s "$work/chosen.txt" ] || mv "$OUT$PREFIX"/lib/python3.*/site-packages "$OUT$SITE"
rm -rf "$work" "$OUT$PREFIX/.lock"

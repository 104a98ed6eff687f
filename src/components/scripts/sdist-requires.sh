#!/bin/sh
# Installs the packages of $INPUTS/requirements.txt, and what they depend on, with $UV for the interpreter $PYTHON into
# $OUT: what a package is built with. Only published wheels are taken, each with the digest that the index has for it.
set -eu

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
work=$(mktemp -d)
"$UV" pip compile --quiet --python "$PYTHON" --only-binary :all: --generate-hashes --no-header \
    --output-file "$work/chosen.txt" "$INPUTS/requirements.txt"
"$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --only-binary :all: --link-mode copy \
    --no-compile-bytecode --no-deps --require-hashes --requirements "$work/chosen.txt"
rm -rf "$work" "$OUT$PREFIX/.lock"

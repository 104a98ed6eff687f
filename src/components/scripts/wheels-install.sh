#!/bin/sh
# Installs the packages of the list $REQUIREMENTS, which is whole and has a digest for each, with $UV for the interpreter
# $PYTHON, below $PREFIX into $OUT. Only published wheels are taken, so that nothing is compiled here. $SLIM, if set, is a
# program that frees them of what nothing loads.
set -eu

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
[ -s "$REQUIREMENTS" ] || exit 0

# Installs the packages of a list.
install() {
    "$UV" pip install --python "$PYTHON" --prefix "$OUT$PREFIX" --only-binary :all: --link-mode copy \
        --no-compile-bytecode --no-deps --require-hashes --requirements "$1"
}

if [ -z "${CHANNEL:-}" ]; then
    install "$REQUIREMENTS"
else
    lists=$(mktemp -d)
    if grep -vE "^($CHANNEL_PACKAGES)==" "$REQUIREMENTS" >"$lists/others"; then install "$lists/others"; fi
    # A mirror of PyTorch's channel has them, as it was asked for them when they were chosen.
    if grep -E "^($CHANNEL_PACKAGES)==" "$REQUIREMENTS" >"$lists/channel"; then
        UV_INDEX='' UV_DEFAULT_INDEX=$CHANNEL install "$lists/channel"
    fi
    rm -rf "$lists"
fi
# The distribution's own Python looks for packages in $SITE, which is set for no other.
[ -z "${SITE:-}" ] || mv "$OUT$PREFIX"/lib/python3.*/site-packages "$OUT$SITE"
# The installer's lock is in every tree.
rm -f "$OUT$PREFIX/.lock"
[ -z "${SLIM:-}" ] || "$PYTHON" -B "$SLIM" "$OUT$PREFIX"
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +
# One time for all files gives the same layer whenever the same wheels are installed, such as for another patch release of
# Python. It is the earliest that zip archives can have.
find "$OUT" -mindepth 1 -exec touch -h -d @315532800 {} +

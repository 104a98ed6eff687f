#!/bin/sh
# Sourced by the scripts that resolve Python requirements. $work is a directory that they may use and remove.

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
work=$(mktemp -d)

# Resolves with $UV for the interpreter $PYTHON as the arguments tell it; what uv warns of is in $work/warnings then. For a
# wheel that breaks off uv takes an older release, as if the index had none that is newer: here that is an error.
compile() {
    ended=0
    RUST_LOG=uv_resolver=warn "$UV" pip compile --python "$PYTHON" --only-binary :all: --no-annotate --no-header "$@" \
        >/dev/null 2>"$work/told" || ended=$?
    # An empty list is nothing to be told of.
    sed -i '/^warning: Requirements file /d' "$work/told"
    cat "$work/told" >&2
    broken=$(sed -n 's/^WARN \([^ ]*==[^ ]*\) has an invalid package format.*/\1/p' "$work/told" | sort -u)
    if [ -n "$broken" ]; then
        echo "edgenode: the index gives no whole wheel of $broken; try again, or leave that release out" >&2
        exit 1
    fi
    [ "$ended" -eq 0 ] || exit "$ended"
    sed -n 's/^warning: //p' "$work/told" >>"$work/warnings"
}

#!/bin/sh
# Resolves the requirements of $INPUTS/requirements.txt with $UV for the interpreter $PYTHON, without the packages of
# $INPUTS/exclude.txt. Writes to $OUT one list for each group of $INPUTS/groups.txt, which has lines `GROUP PATTERN`; the
# first pattern that fits a package's name decides.
set -eu

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
work=$(mktemp -d)
"$UV" pip compile --quiet --python "$PYTHON" --only-binary :all: --generate-hashes --no-annotate --no-header \
    --excludes "$INPUTS/exclude.txt" --output-file "$work/chosen.txt" "$INPUTS/requirements.txt"

awk -v out="$OUT" '
    function fits(name, pattern) {
        if (pattern ~ /\*$/) {
            pattern = substr(pattern, 1, length(pattern) - 1)
            return substr(name, 1, length(pattern)) == pattern
        }
        return name == pattern
    }
    FNR == NR {
        count++
        group[count] = $1
        pattern[count] = $2
        printf "" > (out "/" $1 ".txt")
        next
    }
    # A package begins a line; its digests follow on lines of their own.
    /^[A-Za-z0-9]/ {
        name = tolower($1)
        sub(/[=\[].*/, "", name)
        gsub(/[-_.]+/, "-", name)
        for (i = 1; i <= count && !fits(name, pattern[i]); i++);
        file = out "/" group[i] ".txt"
    }
    { print > file }
' "$INPUTS/groups.txt" "$work/chosen.txt"
grep -ho '^[A-Za-z0-9][^ ]*' "$work/chosen.txt" || true
rm -rf "$work"
touch -d @0 "$OUT"/*.txt

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
    function normal(word) {
        word = tolower(word)
        sub(/[^a-z0-9._-].*/, "", word)
        gsub(/[-_.]+/, "-", word)
        return word
    }
    # Writes the package that was read: with the digests that the requirements allow, where they name any.
    function finish(i, line) {
        if (name == "") return
        line = head
        for (i = 1; i <= digests; i++) {
            if (!(name in named) || (name, digest[i]) in allowed) line = line " \\\n    " digest[i]
        }
        if (line == head) {
            print "edgenode: the index has no file of " head " with a digest that the requirements allow" >"/dev/stderr"
            failed = 1
        }
        print line > file
    }
    function fits(name, pattern) {
        if (pattern ~ /\*$/) {
            pattern = substr(pattern, 1, length(pattern) - 1)
            return substr(name, 1, length(pattern)) == pattern
        }
        return name == pattern
    }
    FILENAME == ARGV[1] {
        for (i = 2; i <= NF; i++) if ($i ~ /^--hash=/) {
            named[normal($1)]
            allowed[normal($1), $i]
        }
        next
    }
    FILENAME == ARGV[2] {
        count++
        group[count] = $1
        pattern[count] = $2
        printf "" > (out "/" $1 ".txt")
        next
    }
    # A package begins a line; its digests follow on lines of their own.
    /^[A-Za-z0-9]/ {
        finish()
        # Wheels of the build context are installed elsewhere.
        local = $2 == "@"
        if (local) {
            name = ""
            next
        }
        name = normal($1)
        head = $0
        sub(/ *\\$/, "", head)
        digests = 0
        for (i = 1; i <= count && !fits(name, pattern[i]); i++);
        file = out "/" group[i] ".txt"
    }
    $1 ~ /^--hash=/ && !local { digest[++digests] = $1 }
    END {
        finish()
        exit failed
    }
' "$INPUTS/requirements.txt" "$INPUTS/groups.txt" "$work/chosen.txt"
grep -ho '^[A-Za-z0-9][^ ]*' "$work/chosen.txt" || true
rm -rf "$work"
touch -d @0 "$OUT"/*.txt

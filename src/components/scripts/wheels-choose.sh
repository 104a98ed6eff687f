#!/bin/sh
# Resolves the requirements of $INPUTS/requirements.txt with $UV for the interpreter $PYTHON, without the packages of
# $INPUTS/exclude.txt. $INPUTS/groups.txt has lines `GROUP PATTERN BYTES`; the first pattern that fits a package's name
# decides. Writes to $OUT a list lists/GROUP/rest for each group. A package whose wheel has at least BYTES (not `never`)
# has a list lists/GROUP/PACKAGE.txt instead, if it is one of the $MOST_LARGE largest: these are in $OUT/large. What a
# whole group has is in GROUP.txt.
set -eu

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
work=$(mktemp -d)
# Of the forms that uv writes only this one has sizes. It lists just the wheels that fit the interpreter.
"$UV" pip compile --quiet --python "$PYTHON" --only-binary :all: --no-annotate --no-header \
    --format pylock.toml --excludes "$INPUTS/exclude.txt" --output-file "$work/pylock.toml" "$INPUTS/requirements.txt"

# Lines `PACKAGE SIZE GROUP BYTES REQUIREMENT`; the requirement goes to the end of the line.
awk '
    function fits(name, pattern) {
        if (pattern ~ /\*$/) {
            pattern = substr(pattern, 1, length(pattern) - 1)
            return substr(name, 1, length(pattern)) == pattern
        }
        return name == pattern
    }
    function quoted(line) {
        sub(/^[^"]*"/, "", line)
        sub(/".*/, "", line)
        return line
    }
    function finish(i) {
        for (i = 1; i <= count && !fits(name, pattern[i]); i++);
        if (name != "") print name, size, group[i], bytes[i], name "==" version digests
        name = version = digests = ""
        size = 0
    }
    FNR == NR {
        count++
        group[count] = $1
        pattern[count] = $2
        bytes[count] = $3
        next
    }
    /^\[\[packages\]\]/ { finish() }
    /^name = / { name = quoted($0) }
    /^version = / { version = quoted($0) }
    # A line has one wheel, or all of them if there is but one.
    match($0, / size = [0-9]+/) {
        if (substr($0, RSTART + 8, RLENGTH - 8) + 0 > size) size = substr($0, RSTART + 8, RLENGTH - 8) + 0
    }
    match($0, /sha256 = "[0-9a-f]+"/) { digests = digests " --hash=sha256:" quoted(substr($0, RSTART, RLENGTH)) }
    END { finish() }
' "$INPUTS/groups.txt" "$work/pylock.toml" >"$work/chosen"

awk '$4 != "never" && $2 >= $4 + 0 { print $2, $3, $1 }' "$work/chosen" | sort -k1,1nr -k2 | head -n "$MOST_LARGE" |
    cut -d' ' -f2- | sort >"$OUT/large"
cut -d' ' -f1 "$INPUTS/groups.txt" | sort -u | while IFS= read -r group; do
    mkdir -p "$OUT/lists/$group"
    : >"$OUT/lists/$group/rest"
    : >"$OUT/$group.txt"
done
awk -v out="$OUT" '
    BEGIN { while ((getline line <(out "/large")) > 0) large[line] }
    {
        group = $3
        list = out "/lists/" group "/" (($3 " " $1) in large ? $1 ".txt" : "rest")
        print $5
        sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "")
        print >list
        print >(out "/" group ".txt")
    }
' "$work/chosen"
rm -rf "$work"
find "$OUT" -exec touch -d @0 {} +

#!/bin/sh
# Resolves the requirements of $INPUTS/requirements.txt with $UV for the interpreter $PYTHON, without the packages of
# $INPUTS/exclude.txt. The versions of $INPUTS/preferences.txt are kept where they still fit. Writes to $OUT/wheels one
# line for each wheel: name, version, SHA-256, size or `-`, address; and to $OUT/warnings what uv warns of.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheels-compile.sh
. "${0%/*}/wheels-compile.sh"
# uv keeps the versions that its output file has already.
cp "$INPUTS/preferences.txt" "$work/chosen.txt"
compile --excludes "$INPUTS/exclude.txt" --output-file "$work/chosen.txt" "$INPUTS/requirements.txt"
compile --no-deps --format pylock.toml --output-file "$work/pylock.toml" "$work/chosen.txt"
awk '
    function cell(line, key) {
        if (!match(line, key " = \"[^\"]*\"")) return "-"
        return substr(line, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
    }
    $1 == "[[packages]]" { packages++ }
    # Wheels of the build context are installed elsewhere.
    $1 == "archive" { packages-- }
    $1 == "name" { name = cell($0, "name") }
    $1 == "version" { version = cell($0, "version") }
    $1 == "wheels" {
        size = match($0, /size = [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) : "-"
        print name, version, cell($0, "sha256"), size, cell($0, "url")
        wheels++
    }
    END {
        if (packages != wheels) {
            print "edgenode: not every package of the resolution has one wheel" >"/dev/stderr"
            exit 1
        }
    }
' "$work/pylock.toml" >"$OUT/wheels"
sort -u "$work/warnings" >"$OUT/warnings"
rm -rf "$work"
touch -d @0 "$OUT/wheels" "$OUT/warnings"
cat "$OUT/wheels"

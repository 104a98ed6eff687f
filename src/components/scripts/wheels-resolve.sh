#!/bin/sh
# Resolves the requirements of $INPUTS/requirements.txt with $UV for the interpreter $PYTHON, without the packages of
# $INPUTS/exclude.txt. The versions of $INPUTS/preferences.txt are kept where they still fit. Writes to $OUT/wheels one
# line for each wheel: name, version, SHA-256, size or `-`, address, and one for each package that is required and that the
# base image's own Python has: its name; and to $OUT/warnings what uv warns of.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheels-compile.sh
. "${0%/*}/wheels-compile.sh"
# uv keeps the versions that its output file has already.
complete_requirements
exclude
cp "$INPUTS/preferences.txt" "$work/chosen.txt"
pages=--refresh
compile "$work/chosen.txt" --excludes "$work/exclude.txt" --constraints "$INPUTS/constraints.txt" \
    --constraints "$work/kept.txt" "$INPUTS/requirements.txt"
pages=--offline
compile "$work/pylock.toml" --no-deps --format pylock.toml "$work/chosen.txt"
awk "$DIGESTS"'
    function cell(line, key) {
        if (!match(line, key " = \"[^\"]*\"")) return "-"
        return substr(line, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
    }
    # The larger, the better a wheel fits, as installers see it: made for the interpreter, for all from one on or without
    # anything of its own, for the machine, for anything; of the same kind that for the newest C library. All of them fit.
    # Source: PyPA, platform compatibility tags.
    function fit(url, parts, platforms, n, i, kind, newest) {
        sub(/\.whl.*/, "", url)
        n = split(url, parts, "-")
        if (parts[n] == "any") return 0
        if (parts[n - 1] == "abi3") kind = 201 + 2 * substr(parts[n - 2], 4)
        else if (parts[n - 1] == "none" && parts[n - 2] ~ /^cp3[0-9]/) kind = 200 + 2 * substr(parts[n - 2], 4)
        else if (parts[n - 1] == "none") kind = 100
        else kind = 1000
        n = split(parts[n], platforms, ".")
        for (i = 1; i <= n; i++) {
            sub(/^manylinux1_/, "manylinux_2_5_", platforms[i])
            sub(/^manylinux2010_/, "manylinux_2_12_", platforms[i])
            sub(/^manylinux2014_/, "manylinux_2_17_", platforms[i])
            if (match(platforms[i], /^manylinux_2_[0-9]+_/) && substr(platforms[i], 13, RLENGTH - 13) + 0 > newest)
                newest = substr(platforms[i], 13, RLENGTH - 13) + 0
        }
        return kind * 1000 + newest
    }
    function finish() {
        if (best != "") print name, version, best
        else if (name != "" && !local) refuse(name, version)
        name = best = ""
        local = 0
    }
    $1 == "[[packages]]" { finish() }
    # Wheels that are named by their files are installed elsewhere.
    $1 == "archive" { local = 1 }
    $1 == "name" { name = cell($0, "name") }
    $1 == "version" { version = cell($0, "version") }
    # A line has one wheel, or all of them if there is but one.
    ($1 == "wheels" || $1 == "{") && /sha256 = / {
        url = cell($0, "url")
        if (!allows(name, "--hash=sha256:" cell($0, "sha256"))) next
        if (best == "" || fit(url) > fits) {
            fits = fit(url)
            size = match($0, /size = [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) : "-"
            best = cell($0, "sha256") " " size " " url
        }
    }
    END {
        finish()
        exit failed
    }
' "$INPUTS/requirements.txt" "$work/pylock.toml" >"$OUT/wheels"
cut -d' ' -f1 "$work/met" | sort -u >>"$OUT/wheels"
sort -u "$work/warnings" >"$OUT/warnings"
rm -rf "$work"
touch -d @0 "$OUT/wheels" "$OUT/warnings"
cat "$OUT/wheels"

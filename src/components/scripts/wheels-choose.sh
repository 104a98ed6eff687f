#!/bin/sh
# Resolves the requirements of $INPUTS/requirements.txt with $UV for the interpreter $PYTHON, without the packages of
# $INPUTS/exclude.txt. $INPUTS/groups.txt has lines `GROUP PATTERN APART ALONE`; the first pattern that fits a package's
# name decides. Writes to $OUT
#   GROUP.txt     what a whole group has.
#   lists/BRANCH  what is installed together: GROUP; GROUP.medium, wheels of at least APART bytes (not `never`); and
#                 GROUP-PACKAGE, a wheel of at least ALONE bytes, if it is one of the $MOST_ALONE largest. Smaller ones
#                 that have four times APART together are spread by their names over GROUP and GROUP.small-1 to -3. The
#                 package that the group is called after stays in GROUP.
#   branches      lines `GROUP BRANCH` for all branches besides the groups themselves.
#   warnings      what uv warns of.
#   wheels        lines `NAME VERSION SHA-256 SIZE ADDRESS` for the packages that have just one file to choose.
set -eu

# shellcheck source-path=SCRIPTDIR source=wheels-compile.sh
. "${0%/*}/wheels-compile.sh"
# Of the forms that uv writes only this one has sizes. It lists just the wheels that fit the interpreter.
complete_requirements
exclude
compile "$work/pylock.toml" --format pylock.toml --excludes "$work/exclude.txt" \
    --constraints "$INPUTS/constraints.txt" --constraints "$work/kept.txt" "$INPUTS/requirements.txt"

: >"$OUT/wheels"
# Lines `PACKAGE SIZE GROUP APART ALONE REQUIREMENT`; the requirement goes to the end of the line.
awk -v wheels="$OUT/wheels" "$DIGESTS"'
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
    # Writes the package that was read: with the digests that the requirements allow, where they name any.
    function finish(i, digests, fitting, file) {
        # Wheels that are named by their files are installed elsewhere.
        if (name == "" || local) return
        for (i = 1; i <= files; i++) {
            if (allows(name, digest[i])) {
                digests = digests " " digest[i]
                fitting++
                file = i
            }
        }
        if (digests == "") refuse(name, version)
        if (fitting == 1) print name, version, substr(digest[file], 15), bytes[file], url[file] >wheels
        for (i = 1; i <= count && !fits(name, pattern[i]); i++);
        # What the group is called after stays in it.
        print name, size, group[i], (name == group[i] ? "never never" : sizes[i]), name "==" version digests
    }
    FILENAME == ARGV[2] {
        count++
        group[count] = $1
        pattern[count] = $2
        sizes[count] = $3 " " $4
        next
    }
    /^\[\[packages\]\]/ {
        finish()
        name = version = ""
        size = files = local = 0
    }
    /^name = / { name = quoted($0) }
    /^version = / { version = quoted($0) }
    /^archive = / { local = 1 }
    # A line has one wheel, or all of them if there is but one.
    match($0, /sha256 = "[0-9a-f]+"/) {
        digest[++files] = "--hash=sha256:" quoted(substr($0, RSTART, RLENGTH))
        bytes[files] = match($0, / size = [0-9]+/) ? substr($0, RSTART + 8, RLENGTH - 8) : "-"
        url[files] = match($0, /url = "[^"]*"/) ? quoted(substr($0, RSTART, RLENGTH)) : "-"
    }
    match($0, / size = [0-9]+/) && substr($0, RSTART + 8, RLENGTH - 8) + 0 > size {
        size = substr($0, RSTART + 8, RLENGTH - 8) + 0
    }
    END {
        finish()
        exit failed
    }
' "$INPUTS/requirements.txt" "$INPUTS/groups.txt" "$work/pylock.toml" >"$work/chosen"

awk '$5 != "never" && $2 >= $5 + 0 { print $2, $1 }' "$work/chosen" | sort -k1,1nr -k2 | head -n "$MOST_ALONE" >"$work/alone"
mkdir "$OUT/lists"
cut -d' ' -f1 "$INPUTS/groups.txt" | sort -u | while IFS= read -r group; do
    : >"$OUT/$group.txt"
    : >"$OUT/lists/$group"
done
awk -v out="$OUT" '
    # The sum of the places of the letters in the alphabet tells names apart, and is the same whatever else there is.
    function part(name, i, sum) {
        for (i = 1; i <= length(name); i++) sum += index("abcdefghijklmnopqrstuvwxyz0123456789", substr(name, i, 1))
        return sum % 4
    }
    pass == 1 { alone[$2]; next }
    { is_small = !($1 in alone) && $4 != "never" && $2 < $4 + 0 }
    pass == 2 {
        if (is_small) small[$3] += $2
        next
    }
    {
        branch = group = $3
        if ($1 in alone) branch = group "-" $1
        else if (is_small && small[group] >= 4 * $4 && part($1) > 0) branch = group ".small-" part($1)
        else if (!is_small && $4 != "never") branch = group ".medium"
        if (branch != group) print group, branch
        sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "")
        print >(out "/" group ".txt")
        print >(out "/lists/" branch)
    }
' pass=1 "$work/alone" pass=2 "$work/chosen" pass=3 "$work/chosen" | sort -u >"$OUT/branches"
cut -d' ' -f6 "$work/chosen"
sort -u "$work/warnings" >"$OUT/warnings"
rm -rf "$work"
find "$OUT" -exec touch -d @0 {} +

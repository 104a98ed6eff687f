#!/bin/sh
# Checks by the lists $LISTS/COMPONENT/files (see look.sh) that the components' trees fit together, and by $SYSTEM/links
# that they fit on the system. Writes nothing. A file may have several owners where its bytes are the same, as far as it
# is small: packages of Python that share a folder all have the empty file that makes it a package. The small wheels of a
# group may lie in several trees, GROUP.small-N and GROUP, of which the last has what several have, GROUP at the very end:
# many of them have a folder `docs` or `tests` beside their own, and one installation of all keeps one of those, too.
set -eu

set -- "$SYSTEM/links"
for list in "$LISTS"/*/files; do
    [ -f "$list" ] && set -- "$@" "$list"
done
awk '
    function group(tree) {
        sub(/\.small-[0-9]$/, "", tree)
        return tree
    }
    FILENAME == ARGV[1] { link[$0]; next }
    FNR == 1 {
        tree = FILENAME
        sub(/\/files$/, "", tree)
        sub(/.*\//, "", tree)
    }
    {
        path = $0
        sub(/^[^ ]+ [^ ]+ /, "", path)
    }
    # A directory over a link of the system would replace the link, and with it all that lies behind it.
    $1 == "d" && path in link {
        print "edgenode: " tree " has the directory " path ", which is a link in the base image"
        bad = 1
    }
    $1 == "d" { directory[path] = tree }
    $1 != "d" && path in owner && ($2 == "-" || $2 != digest[path]) && group(tree) != group(owner[path]) {
        shared[path] = owner[path] ", " tree
    }
    $1 != "d" {
        owner[path] = tree
        digest[path] = $2
    }
    END {
        for (path in directory) if (path in owner) shared[path] = owner[path] ", a directory in " directory[path]
        for (path in shared) {
            if (!count++) print "edgenode: more than one component has these files:"
            if (count <= 10) print path " (" shared[path] ")"
        }
        if (count) print "edgenode: of packages of Python one can be left out (`exclude`), or both can lie in one of `groups`"
        exit bad || count
    }
' "$@" >&2

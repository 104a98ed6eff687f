#!/bin/sh
# Sourced by the scripts that resolve Python requirements. $work is a directory that they may use and remove.

# The base image's own trust store counts, where it has one; else uv brings the usual authorities.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
work=$(mktemp -d)
pages=

# Completes $INPUTS/requirements.txt: with the names that built wheels have, which stand there as the pattern `*.whl`, and
# with what the project in $SOURCE is built with, if $BUILT_WITH is a directory of the programs that find it: what it says,
# and the lines of the file $ASKED, if it was asked for more.
complete_requirements() {
    mkdir "$work/inputs"
    cp "$INPUTS"/* "$work/inputs"
    while IFS= read -r requirement; do
        case $requirement in
        *'/*.whl') named "$requirement" ;;
        *) printf '%s\n' "$requirement" ;;
        esac
    done <"$INPUTS/requirements.txt" >"$work/inputs/requirements.txt"
    if [ -n "${BUILT_WITH:-}" ]; then
        "$PYTHON" -c 'import pip' 2>/dev/null || {
            echo "edgenode: the base image's Python has no pip, which builds packages; install python3-pip there" >&2
            exit 1
        }
        # shellcheck source-path=SCRIPTDIR source=wheel-project.sh
        . "$BUILT_WITH/wheel-project.sh"
        find_whole
        "$PYTHON" -B "$BUILT_WITH/wheel-requires.py" "$whole/$SUBDIRECTORY" ${ASKED:+"$ASKED"} \
            >>"$work/inputs/requirements.txt"
    fi
    INPUTS=$work/inputs
}

# Prints a requirement `NAME @ file://DIRECTORY/*.whl` with the name of the file.
named() {
    directory=${1#* @ file://}
    directory=${directory%'/*.whl'}
    set -- "${1%'*.whl'}" "$directory"/*.whl
    printf '%s%s\n' "$1" "${2##*/}"
}

# For awk: the normal form of a package's name, and for programs whose first file is $INPUTS/requirements.txt whether it
# allows a file, given as `--hash=sha256:` and the digest.
# shellcheck disable=SC2016
NORMAL='
    function normal(word) {
        word = tolower(word)
        sub(/[^a-z0-9._-].*/, "", word)
        gsub(/[-_.]+/, "-", word)
        return word
    }
'
# shellcheck disable=SC2016,SC2034
DIGESTS=$NORMAL'
    function allows(name, digest) {
        return !(name in named) || (name, digest) in allowed
    }
    function refuse(name, version, what) {
        what = "no SHA-256 of " name "==" version
        if (name in named) what = "no file of " name "==" version " with a digest that the requirements allow"
        print "edgenode: the index has " what >"/dev/stderr"
        failed = 1
    }
    FILENAME == ARGV[1] {
        for (i = 2; i <= NF; i++) if ($i ~ /^--hash=/) {
            named[normal($1)]
            allowed[normal($1), $i]
        }
        next
    }
'

# Writes to $work/exclude.txt what is not resolved, the packages of $INPUTS/exclude.txt, and to $work/kept.txt, where
# $INPUTS/vendor.txt says that the interpreter is the base image's own, constraints to what it has, which stays as it is. What
# is required of that must hold; $work/met has lines `NAME NAME==VERSION REQUIREMENT`.
exclude() {
    cp "$INPUTS/exclude.txt" "$work/exclude.txt"
    : >"$work/met"
    : >"$work/kept.txt"
    [ -s "$INPUTS/vendor.txt" ] || return 0
    "$UV" pip list --python "$PYTHON" --format freeze >"$work/kept"
    mkdir "$work/stubs"
    "$PYTHON" -B "${0%/*}/wheels-kept.py" "$work/stubs" "$work/kept" "$work/kept.txt" "$work/exclude.txt"
    awk -F '==' "$NORMAL"'
        FILENAME == ARGV[1] {
            excluded[normal($1)]
            next
        }
        FILENAME == ARGV[2] {
            kept[normal($1)] = $0
            next
        }
        {
            name = normal($0)
            sub(/ --hash=.*/, "")
        }
        name in kept && !(name in excluded) { print name, kept[name], $0 }
    ' "$INPUTS/exclude.txt" "$work/kept" "$INPUTS/requirements.txt" >"$work/met"
    while read -r _ has requirement; do
        "$UV" pip install --python "$PYTHON" --dry-run --offline --no-index --no-deps --break-system-packages -- \
            "$requirement" >/dev/null 2>&1 </dev/null || echo "edgenode:   $requirement; it has $has"
    done <"$work/met" >"$work/unmet"
    if [ -s "$work/unmet" ]; then
        echo "edgenode: the base image's Python has packages that are not what is required, and they stay as they are:" >&2
        cat "$work/unmet" >&2
        exit 1
    fi
}

# Resolves to the file $1 with $UV for the interpreter $PYTHON as the other arguments tell it; what uv warns of is in
# $work/warnings then. uv asks PyTorch's channels at their own address only. Where a mirror has one, $CHANNEL, those of the
# packages $CHANNEL_PACKAGES that are wanted are required by a project with an index for them: first those that the
# requirements name, then $work/asked, those that others want as well, until it has all.
compile() {
    output=$1
    shift
    if [ -z "${CHANNEL:-}" ]; then
        resolve --output-file "$output" "$@"
        return
    fi
    mkdir -p "$work/project"
    : >>"$work/asked"
    : >>"$work/warnings"
    cp "$work/warnings" "$work/warned"
    [ ! -e "$output" ] || cp "$output" "$work/preferred"
    of_channel >"$work/direct"
    # Whose file is named comes from no index.
    awk "$NORMAL"'/ @ / { print normal($0) }' "$INPUTS/requirements.txt" >"$work/named"
    while :; do
        project >"$work/project/pyproject.toml"
        # Nothing is kept of what was chosen or told on the way there.
        rm -f "$output"
        [ ! -e "$work/preferred" ] || cp "$work/preferred" "$output"
        cp "$work/warned" "$work/warnings"
        resolve --output-file "$output" "$@" "$work/project/pyproject.toml"
        sed -n 's/^name = "\(.*\)"/\1/p; s/^\([a-z0-9-]*\)==.*/\1/p' "$output" | grep -Ex "$CHANNEL_PACKAGES" |
            grep -vxFf "$work/direct" | grep -vxFf "$work/named" | sort -u - "$work/asked" >"$work/wanted"
        [ "$(cat "$work/asked")" != "$(cat "$work/wanted")" ] || break
        mv "$work/wanted" "$work/asked"
    done
    rm -f "$work/preferred"
}

# The channel's packages that the requirements name and that are not left out, each with its marker if it has one.
of_channel() {
    awk -v packages="^($CHANNEL_PACKAGES)\$" "$NORMAL"'
        FILENAME == ARGV[1] {
            excluded[normal($0)]
            next
        }
        {
            name = normal($0)
            sub(/ --hash=.*/, "")
            marker = match($0, /;.*/) ? substr($0, RSTART) : ""
            gsub(/"/, "\047", marker)
            if (name ~ packages && !(name in excluded) && !/ @ /) print name marker
        }
    ' "$work/exclude.txt" "$INPUTS/requirements.txt" | sort -u
}

# A project that requires the packages of $work/direct and $work/asked, and knows the index for them.
project() {
    printf '[project]\nname = "channel"\nversion = "0"\ndependencies = ['
    sed 's/.*/"&", /' "$work/direct" "$work/asked"
    printf ']\n[[tool.uv.index]]\nname = "channel"\nurl = "%s"\nexplicit = true\n[tool.uv.sources]\n' "$CHANNEL"
    sed 's/;.*//; s/$/ = { index = "channel" }/' "$work/direct" "$work/asked" | sort -u
}

# Resolves as the arguments tell it, and with pages of indexes as $pages has it: `--refresh`, all as they are now;
# `--offline`, those of the last time. Else those that uv's cache has count as long as they are good for, unless they lack
# what is required: it may have come out since. For a wheel that breaks off uv takes an older release, as if the index had
# none that is newer: here that is an error.
resolve() {
    if [ -n "$pages" ]; then
        ask "$pages" "$@"
    else
        ask "$@"
        # uv's status where no versions fit.
        [ "$ended" -ne 1 ] || ask --refresh "$@"
    fi
    # An empty list is nothing to be told of.
    sed -i '/^warning: Requirements file /d' "$work/told"
    cat "$work/told" >&2
    broken=$(sed -n 's/^WARN \([^ ]*==[^ ]*\) has an invalid package format.*/\1/p' "$work/told" | sort -u)
    if [ -n "$broken" ]; then
        echo "edgenode: the index gives no whole wheel of $broken; try again, or leave that release out" >&2
        exit 1
    fi
    if [ "$ended" -ne 0 ]; then
        [ ! -s "$work/kept.txt" ] || echo "edgenode: what the base image's Python has stays as it is" >&2
        exit "$ended"
    fi
    sed -n 's/^warning: //p' "$work/told" >>"$work/warnings"
}

# Asks uv; what it tells is in $work/told then, and its status in $ended.
ask() {
    ended=0
    (
        # What its settings say of how long pages are good for goes before `--refresh`.
        if [ "$1" = --refresh ] && [ -n "${UV_CONFIG_FILE:-}" ]; then
            grep -v '^cache-control ' "$UV_CONFIG_FILE" >"$work/uv.toml"
            export UV_CONFIG_FILE="$work/uv.toml"
        fi
        RUST_LOG=uv_resolver=warn exec "$UV" pip compile --python "$PYTHON" --only-binary :all: \
            --no-annotate --no-header "$@" >/dev/null 2>"$work/told"
    ) || ended=$?
}

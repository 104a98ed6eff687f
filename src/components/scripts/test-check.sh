#!/bin/sh
# Checks one thing that a test of a spec asks for: OUT RUN KIND WORD...
# Looks at the image, which is / here, and at what test-run.sh left in RUN. Writes OUT/verdict: a line with `pass`, `fail`
# or `skip` and hundredths of a second, and below it why. Always succeeds, so that all checks are told at once.
set -u

out=$1 run=$2 kind=$3
shift 3
LC_ALL=C
export LC_ALL

now() {
    read -r up _ </proc/uptime
    echo $((${up%.*} * 100 + 1${up#*.} - 100))
}
begin=$(now)
time=

verdict() {
    [ -n "$time" ] || time=$(($(now) - begin))
    printf '%s %s\n%s\n' "$1" "$time" "$2" >"$out/verdict"
    printf '%s %s\n' "$1" "$2"
    exit 0
}
pass() { verdict pass "${1:-}"; }
fail() { verdict fail "$1"; }

# The beginning of a text for a message.
brief() {
    if [ "${#1}" -gt 2000 ]; then
        printf '%.2000s…' "$1"
    else
        printf '%s' "$1"
    fi
}

# What a text is like: NAME TEXT KIND WANTED
look() {
    shown="; it is: $(brief "$2")"
    [ -n "$2" ] || shown='; it is empty'
    case $3 in
    equals) [ "$2" = "$4" ] || fail "$1 is not: $4$shown" ;;
    contains)
        case $2 in
        *"$4"*) ;;
        *) fail "$1 does not contain: $4$shown" ;;
        esac
        ;;
    starts)
        case $2 in
        "$4"*) ;;
        *) fail "$1 does not start with: $4$shown" ;;
        esac
        ;;
    ends)
        case $2 in
        *"$4") ;;
        *) fail "$1 does not end with: $4$shown" ;;
        esac
        ;;
    matches)
        printf '%s\n' "$2" | grep -E -q -e "$4" 2>/dev/null
        case $? in
        0) ;;
        1) fail "no line of $1 matches: $4$shown" ;;
        *) fail "this is not an extended regular expression: $4" ;;
        esac
        ;;
    empty)
        [ "$4" != true ] || [ -z "$2" ] || fail "$1 is not empty$shown"
        [ "$4" != false ] || [ -n "$2" ] || fail "$1 is empty"
        ;;
    esac
    pass
}

# Whether the file at $path is of this size: WANTED
size() {
    size=$(wc -c <"$path")
    size=$((size))
    case $1 in
    '<'*) [ "$size" -lt "${1#?}" ] ;;
    '>'*) [ "$size" -gt "${1#?}" ] ;;
    *) [ "$size" -eq "$1" ] ;;
    esac || fail "$path has $size bytes, not $1"
}

# Whether the file at $path belongs to USER or USER:GROUP, by names or numbers.
owner() {
    user=${1%%:*} group=
    case $1 in
    *:*) group=${1#*:} ;;
    esac
    owner="$(stat -c '%U:%G' "$path") ($(stat -c '%u:%g' "$path"))"
    [ "$user" = "$(stat -c %U "$path")" ] || [ "$user" = "$(stat -c %u "$path")" ] || fail "$path belongs to $owner, not to $1"
    [ -z "$group" ] || [ "$group" = "$(stat -c %G "$path")" ] || [ "$group" = "$(stat -c %g "$path")" ] ||
        fail "$path belongs to $owner, not to $1"
}

# Something about a file: PATH KIND WANTED...
file() {
    path=$1
    if [ "$2" = exists ]; then
        if [ -e "$path" ] || [ -L "$path" ]; then
            [ "$3" = true ] || fail "$path exists"
        else
            [ "$3" = false ] || fail "$path does not exist"
        fi
        pass
    fi
    [ -e "$path" ] || fail "$path does not exist"
    case $2 in
    mode)
        mode=$(stat -L -c %a "$path")
        [ "$mode" = "$3" ] || fail "$path has the mode $mode, not $3"
        ;;
    owner) owner "$3" ;;
    size) size "$3" ;;
    sha256)
        digest=$(sha256sum <"$path")
        [ "${digest%% *}" = "$3" ] || fail "$path has the SHA-256 ${digest%% *}, not $3"
        ;;
    content) look "$path" "$(cat "$path")" "$3" "$4" ;;
    esac
    pass
}

# Whether all ELF files below a directory find their libraries.
libraries() {
    [ -d "$1" ] || fail "there is no directory $1"
    magic=$(printf '\177ELF')
    list=$out/files
    # The directory may be named by a link, as /lib is.
    find -H "$1" -type f -size +0 \( -perm -100 -o -name '*.so*' \) >"$list"
    count=0 missing=
    while IFS= read -r path; do
        [ "$(head -c 4 "$path" | tr -d '\000')" = "$magic" ] || continue
        count=$((count + 1))
        lost=$(ldd "$path" 2>/dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1/p' | tr '\n' ' ')
        [ -z "$lost" ] || missing="$missing$path lacks $lost
"
    done <"$list"
    rm -f "$list"
    [ -z "$missing" ] || fail "$(brief "$missing")"
    [ "$count" -gt 0 ] || fail "there is no ELF file below $1"
    pass "$count files"
}

# Runs a line of Python with arguments; what it prints is why it failed.
python() {
    command -v python3 >/dev/null || fail "there is no python3 on the PATH"
    told=$(python3 -c "$@" 2>&1) || fail "$(printf '%s' "$told" | tail -n 3)"
}

# Whether FFmpeg lists a codec: encoders|decoders NAME
codec() {
    command -v ffmpeg >/dev/null || fail "there is no ffmpeg on the PATH"
    ffmpeg -hide_banner -v error "-$1" >"$out/codecs" 2>/dev/null
    found=
    while read -r flags name _; do
        [ -n "$flags" ] && [ "$name" = "$2" ] && found=yes
    done <"$out/codecs"
    rm -f "$out/codecs"
    [ -n "$found" ] || fail "FFmpeg has no ${1%s} $2"
}

if [ "$kind" != file ] && [ -e "$run/skipped" ]; then
    time=0
    verdict skip "$(cat "$run/skipped")"
fi
case $kind in
exit)
    time=$(cat "$run/time")
    [ ! -e "$run/late" ] || fail "the program was ended after $2 s"
    code=$(cat "$run/code")
    [ "$code" = "$1" ] || fail "the program ended with code $code, not $1: $(tail -n 5 "$run/stderr")"
    ;;
listens)
    time=$(cat "$run/time")
    [ -e "$run/listening" ] || fail "nothing listened on port $1 within $2 s: $(tail -n 5 "$run/stderr")"
    ;;
output) look "$1" "$(cat "$run/$1")" "$2" "$3" ;;
file) file "$@" ;;
libraries) libraries "$1" ;;
import) python 'import importlib, sys; importlib.import_module(sys.argv[1])' "$1" ;;
package)
    python 'import sys
from importlib.metadata import version
name, wanted = sys.argv[1:]
found = version(name)
if (found + ".").startswith(wanted + ".") or found.split("+")[0] == wanted:
    sys.exit(0)
sys.exit(f"{name} is {found}, not {wanted}")' "$1" "$2"
    ;;
encoders | decoders) codec "$kind" "$1" ;;
*) fail "there is no check $kind" ;;
esac
pass

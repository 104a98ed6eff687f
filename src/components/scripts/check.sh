#!/bin/sh
# A test of a spec: REPORT COUNT EXPECTED... PROGRAM ARGUMENT...
# Runs the program, keeps its standard output as $OUT/REPORT.txt, and looks for each of the COUNT expected texts in it.
set -eu

report=$OUT/$1.txt
count=$2
shift 2
first=1
expected=$count
# The program's words are moved before the expected texts, one by one, so that both stay whole words.
total=$#
while [ "$first" -le "$expected" ]; do
    set -- "$@" "$1"
    shift
    first=$((first + 1))
done
# Now: PROGRAM ARGUMENT... EXPECTED...
words=$((total - count))
run() {
    # Called with all words; drops the expected texts from the end by rotating the first ones round.
    n=$words
    while [ "$n" -gt 0 ]; do
        set -- "$@" "$1"
        shift
        n=$((n - 1))
    done
    shift "$count"
    unset OUT
    "$@"
}
code=0
(run "$@") >"$report" || code=$?
cat "$report"
if [ "$code" -ne 0 ]; then
    echo "edgenode: the program ended with exit code $code" >&2
    exit "$code"
fi
shift "$words"
for text in "$@"; do
    case $(cat "$report") in
    *"$text"*) ;;
    *)
        echo "edgenode: the output does not contain: $text" >&2
        exit 1
        ;;
    esac
done

#!/bin/sh
# Makes the directory $CUDA_HOME of the toolkit whole, as links in $OUT: to the shared libraries that wheels bring below
# $SITE/nvidia, and the usual short names. What there is it knows by lists (see look.sh): $WHEELS/*/files of the wheels,
# which without them are in the root, / here, and $TOOLKIT/*/files of the packages of NVIDIA's archive, where there are any.
# With $WHOLE=1 the directory is that of the wheels, which for CUDA from release 13 on has the toolkit's layout.
set -eu

# Lines `TYPE PATH` of the lists below $1.
read_lists() {
    cat "$1"/*/files | sed 's/^\(.\) [^ ]* /\1 /'
}

# Whether the list $1 has the path $2.
has() {
    cut -c 3- "$1" | grep -qxF "$2"
}

work=$(mktemp -d)
if [ -n "${WHEELS:-}" ]; then
    read_lists "$WHEELS"
elif [ -n "${SITE:-}" ]; then
    [ ! -d "$SITE/nvidia" ] || find "$SITE/nvidia" -printf '%y %p\n'
fi >"$work/wheels"
{ [ -z "${TOOLKIT:-}" ] || read_lists "$TOOLKIT"; } >"$work/toolkit"

mkdir -p "$OUT${CUDA_HOME%/*}"
for short in cuda "cuda-$MAJOR"; do
    ln -s "${CUDA_HOME##*/}" "$OUT${CUDA_HOME%/*}/$short"
done

# The shared libraries in the directories `lib` of what lies in $1.
libraries() {
    awk -v top="$1/" '
        /^d / || index($0, top) != 3 { next }
        { path = substr($0, 3) }
        split(substr(path, length(top) + 1), part, "/") == 3 && part[2] == "lib" && part[3] ~ /\.so/ { print path }
    ' "$work/wheels"
}

if [ "${WHOLE:-0}" = 1 ]; then
    home=$SITE/nvidia/cu$MAJOR
    has "$work/wheels" "$home/lib" || {
        echo "edgenode: the wheels have no directory $home" >&2
        exit 1
    }
    ln -s "$home" "$OUT$CUDA_HOME"
    mkdir -p "$OUT$home/lib"
    has "$work/wheels" "$home/lib64" || ln -s lib "$OUT$home/lib64"
    # Linkers look for names without a version, which the wheels lack.
    libraries "$SITE/nvidia" | while IFS= read -r library; do
        name=${library##*/}
        short=$home/lib/${name%%.so.*}.so
        case $library in
        "$home"/lib/*.so.*) has "$work/wheels" "$short" || [ -L "$OUT$short" ] || ln -s "$name" "$OUT$short" ;;
        esac
    done
else
    lib=$CUDA_HOME/$TARGET/lib
    mkdir -p "$OUT$lib"
    libraries "${SITE:-}/nvidia" | while IFS= read -r library; do
        # What NVIDIA's packages have under this name is a link for linkers, or theirs alone.
        grep -qxF "l $lib/${library##*/}" "$work/toolkit" || ln -s "$library" "$OUT$lib/${library##*/}"
    done
    for short in lib64:lib include:include; do
        has "$work/toolkit" "$CUDA_HOME/${short%:*}" || ln -s "$TARGET/${short#*:}" "$OUT$CUDA_HOME/${short%:*}"
    done
fi
rm -rf "$work"
find "$OUT" -exec touch -h -d @0 {} +

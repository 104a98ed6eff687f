#!/bin/sh
# Makes the directory $CUDA_HOME of the toolkit whole, as links in $OUT: to the shared libraries that the wheels below
# $WHEELS$SITE/nvidia bring, and the usual short names. $TOOLKIT has the packages of NVIDIA's archive, where there are any.
# With $WHOLE=1 the directory is that of the wheels, which for CUDA from release 13 on has the toolkit's layout.
set -eu

toolkit=${TOOLKIT:-/nonexistent}
mkdir -p "$OUT${CUDA_HOME%/*}"
for short in cuda "cuda-$MAJOR"; do
    ln -s "${CUDA_HOME##*/}" "$OUT${CUDA_HOME%/*}/$short"
done

if [ "${WHOLE:-0}" = 1 ]; then
    home=$SITE/nvidia/cu$MAJOR
    [ -d "$WHEELS$home/lib" ] || {
        echo "edgenode: the wheels have no directory $home" >&2
        exit 1
    }
    ln -s "$home" "$OUT$CUDA_HOME"
    mkdir -p "$OUT$home/lib"
    [ -e "$WHEELS$home/lib64" ] || ln -s lib "$OUT$home/lib64"
    # Linkers look for names without a version, which the wheels lack.
    for library in "$WHEELS$home"/lib/*.so.*; do
        name=${library##*/}
        short=${name%%.so.*}.so
        [ -e "$WHEELS$home/lib/$short" ] || [ -L "$OUT$home/lib/$short" ] || ln -s "$name" "$OUT$home/lib/$short"
    done
else
    mkdir -p "$OUT$CUDA_HOME/$TARGET/lib"
    if [ -n "${WHEELS:-}" ]; then
        for library in "$WHEELS$SITE"/nvidia/*/lib/*.so*; do
            [ -f "$library" ] || continue
            link=$OUT$CUDA_HOME/$TARGET/lib/${library##*/}
            # What NVIDIA's packages have under this name is a link for linkers, or theirs alone.
            [ -L "$toolkit$CUDA_HOME/$TARGET/lib/${library##*/}" ] || ln -s "${library#"$WHEELS"}" "$link"
        done
    fi
    for short in lib64:lib include:include; do
        [ -e "$toolkit$CUDA_HOME/${short%:*}" ] || [ -L "$toolkit$CUDA_HOME/${short%:*}" ] ||
            ln -s "$TARGET/${short#*:}" "$OUT$CUDA_HOME/${short%:*}"
    done
fi
find "$OUT" -exec touch -h -d @0 {} +

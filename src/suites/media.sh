#!/bin/sh
# Encodes a clip that FFmpeg makes itself, decodes it again, and compares: video|audio|decode CODER.
set -eu

kind=$1 coder=$2
work=$(mktemp -d)
cd "$work"
fail() {
    echo "$*" >&2
    exit 1
}

# How alike two clips are: the average of the peak signal-to-noise ratio.
likeness() {
    ffmpeg -hide_banner -i "$1" -i source.mkv -lavfi '[0:v][1:v]psnr' -f null - 2>&1 |
        sed -n 's/.*average:\([0-9a-z]*\).*/\1/p'
}

# Whether a clip has all its pictures, and is still the picture: FILE
check() {
    count=$(ffprobe -v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$1")
    [ "$count" = 10 ] || fail "$coder: 10 pictures went in, $count came out"
    likeness=$(likeness "$1")
    [ "$likeness" = inf ] || [ "${likeness:-0}" -ge 25 ] || fail "$coder: the picture differs, PSNR ${likeness:-none}"
    echo "$coder: 10 pictures, PSNR $likeness"
}

ffmpeg -v error -f lavfi -i testsrc2=size=320x240:rate=10:duration=1 -f lavfi -i sine=duration=1 \
    -c:v ffv1 -pix_fmt yuv420p -c:a pcm_s16le -y source.mkv
case $kind in
video)
    set --
    case $coder in
    libsvtav1) set -- -preset 10 ;;
    libaom-av1) set -- -cpu-used 8 ;;
    libvpx) set -- -b:v 1M ;;
    libvpx-vp9) set -- -cpu-used 5 -b:v 1M ;;
    libopenh264) set -- -b:v 2M ;;
    libx265) set -- -x265-params log-level=error ;;
    esac
    ffmpeg -v error -i source.mkv -an -c:v "$coder" "$@" -pix_fmt yuv420p -y out.mkv
    check out.mkv
    ;;
audio)
    ffmpeg -v error -i source.mkv -vn -c:a "$coder" -y out.mka
    seconds=$(ffprobe -v error -show_entries format=duration -of csv=p=0 out.mka)
    ffmpeg -v error -i out.mka -f null -
    case $seconds in
    1.* | 0.9*) echo "$coder: $seconds s" ;;
    *) fail "$coder: 1 s went in, $seconds s came out" ;;
    esac
    ;;
decode)
    # Whatever encoder there is; the decoder is what counts.
    for encoder in libsvtav1 libaom-av1 none; do
        [ "$encoder" != none ] || fail "nothing encodes AV1, so $coder has nothing to decode"
        ffmpeg -v error -i source.mkv -an -c:v "$encoder" -pix_fmt yuv420p -y out.mkv 2>/dev/null && break
    done
    ffmpeg -v error -c:v "$coder" -i out.mkv -c:v ffv1 -y decoded.mkv
    check decoded.mkv
    ;;
*) fail "there is no kind $kind" ;;
esac
rm -rf "$work"

#!/bin/sh
# Encodes a generated clip with each codec, decodes it again, and looks at what came out.
set -eu

cd "$(mktemp -d)"
ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=10:duration=1 -f lavfi -i sine=duration=1 \
    -c:v ffv1 -c:a pcm_s16le -y source.mkv

# NAME ENCODER EXPECTED-CODEC OPTIONS...
video() {
    name=$1 encoder=$2 codec=$3
    shift 3
    ffmpeg -v error -i source.mkv -an -c:v "$encoder" "$@" -pix_fmt yuv420p -y "$name.mkv"
    found=$(ffprobe -v error -select_streams v -count_frames -show_entries stream=codec_name,nb_read_frames \
        -of csv=p=0 "$name.mkv")
    [ "$found" = "$codec,10" ] || { echo "$name: expected $codec,10, found $found" >&2; exit 1; }
    # Decoded, it is still the picture: PSNR against the source above 25 dB.
    psnr=$(ffmpeg -i "$name.mkv" -i source.mkv -lavfi '[0:v][1:v]psnr' -f null - 2>&1 |
        sed -n 's/.*average:\([0-9inf]*\).*/\1/p')
    [ "$psnr" = inf ] || [ "$psnr" -ge 25 ] || { echo "$name: PSNR $psnr" >&2; exit 1; }
    echo "$name: $found, PSNR $psnr"
}
video svt-av1 libsvtav1 av1 -preset 10
video aom libaom-av1 av1 -cpu-used 8
video x264 libx264 h264
video x265 libx265 hevc -x265-params log-level=error
video vp9 libvpx-vp9 vp9 -cpu-used 5
ffmpeg -v error -i source.mkv -vn -c:a libopus -y sound.opus
[ "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 sound.opus)" = opus ]
ffmpeg -v error -i sound.opus -f null -
ffmpeg -v error -i source.mkv -vn -c:a libmp3lame -y sound.mp3
ffmpeg -v error -i sound.mp3 -f null -
# AV1 is decoded by dav1d, which was built from source.
ffmpeg -v verbose -i svt-av1.mkv -f null - 2>&1 | grep -q libdav1d

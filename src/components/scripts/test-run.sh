#!/bin/sh
# Runs the program of a test: OUT LIMIT PORT NEED INPUT PROGRAM ARGUMENT...
# Ends it after LIMIT seconds or, where PORT is not 0, as soon as something listens there. The program reads INPUT. NEED
# is `gpu` or `-`. Leaves in OUT what came out: stdout, stderr, code, time (in hundredths of a second, until it ended or
# was told to), and `late`, `listening` or `skipped` where that is so. Always succeeds: test-check.sh is the judge.
set -u

out=$1 limit=$2 port=$3 need=$4 input=$5
shift 5

now() {
    read -r up _ </proc/uptime
    # The 1 keeps a leading 0 from meaning octal.
    echo $((${up%.*} * 100 + 1${up#*.} - 100))
}

# Whether something listens on a port, by its number in hexadecimal digits.
listens() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _; do
        case $local:$state in
        *":$1:0A") echo yes && break ;;
        esac
    done
}

# Ends a program, which gets three seconds to do so itself.
end() {
    kill "$1" 2>/dev/null
    asked=$(now)
    while kill -0 "$1" 2>/dev/null; do
        if [ $(($(now) - asked)) -ge 300 ]; then
            kill -KILL "$1" 2>/dev/null
            break
        fi
        sleep 0.1 2>/dev/null || sleep 1
    done
}

: >"$out/stdout"
: >"$out/stderr"
if [ "$need" = gpu ]; then
    gpu=
    # NVIDIA's on PCs, on WSL, on Jetson boards.
    for device in /dev/nvidiactl /dev/dxg /dev/nvhost-gpu /dev/nvgpu; do
        [ ! -e "$device" ] || gpu=$device
    done
    if [ -z "$gpu" ]; then
        echo "there is no GPU: the builder gives no CDI device nvidia.com/gpu" | tee "$out/skipped"
        exit 0
    fi
fi

begin=$(now)
"$@" <"$input" >"$out/stdout" 2>"$out/stderr" &
program=$!
if [ "$port" = 0 ]; then
    (sleep "$limit" && : >"$out/late" && kill -KILL "$program") 2>/dev/null &
    watch=$!
    wait "$program" 2>/dev/null
    code=$?
    time=$(($(now) - begin))
    kill "$watch" 2>/dev/null
else
    hexadecimal=$(printf '%04X' "$port")
    while kill -0 "$program" 2>/dev/null; do
        if [ "$(listens "$hexadecimal")" = yes ]; then
            : >"$out/listening"
            break
        fi
        if [ $(($(now) - begin)) -ge $((limit * 100)) ]; then
            : >"$out/late"
            break
        fi
        sleep 0.1 2>/dev/null || sleep 1
    done
    time=$(($(now) - begin))
    end "$program"
    wait "$program" 2>/dev/null
    code=$?
fi
echo "$code" >"$out/code"
echo "$time" >"$out/time"
cat "$out/stdout"
cat "$out/stderr" >&2

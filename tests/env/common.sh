# Sourced by the scripts beside it. Where things are, and small helpers.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROJECT=$(dirname "$TESTS")
# What is expensive to make and the same every time: tools, base images, source archives.
CACHE=${EDGENODE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgenode}
# What one environment owns: daemons, their state, logs. `down` removes it.
ROOT=${EDGENODE_ENV:-/tmp/edgenode-env}

BUILDKIT_NEWEST=0.34.2
BUILDKIT_BETWEEN=0.22.0
BUILDKIT_OLDEST=0.13.2
BUILDX_VERSION=0.36.1
ACTIONLINT_VERSION=1.7.12
# Docker Engine 29 is made of it.
MOBY_VERSION=2.0.0-beta.24
CARGO_DENY_VERSION=0.20.2
# The distributions that the tests build on: suite and tag.
BASES=(trixie:13 bookworm:12)
# The examples of buildkit-frontend that the tests build with.
EXAMPLES=(minimal empty)

say() { echo "[env] $*" >&2; }

# Installs Debian packages for commands that are missing: need COMMAND=PACKAGE...
need() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    apt-get update -q >/dev/null
    # No daemon of a package starts here: the environment starts its own.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The addresses of the distribution's archives that this machine uses.
# shellcheck disable=SC2016
mirrors() { apt-get indextargets --format '$(REPO_URI)' | sort -u; }

# A free port on loopback.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Starts a daemon in the background: start NAME COMMAND...; its process id, its log
# and what it leaves behind lie in $ROOT.
start() {
    local name=$1
    shift
    mkdir -p "$ROOT/tmp"
    EDGENODE_ENV=$ROOT TMPDIR=$ROOT/tmp setsid "$@" >"$ROOT/$name.log" 2>&1 </dev/null &
    echo $! >"$ROOT/$name.pid"
}

# Whether a process is one that `start` started here, and not another one that has its number by now.
is_ours() {
    { tr '\0' '\n' <"/proc/$1/environ" | grep -qxF "EDGENODE_ENV=$ROOT"; } 2>/dev/null
}

# Whether everything that `up` started is still there.
is_up() {
    local file
    [ -e "$ROOT/env" ] || return 1
    for file in "$ROOT"/*.pid; do
        is_ours "$(cat "$file")" || return 1
    done
}

# Waits until a command succeeds: wait_for NAME SECONDS COMMAND...
wait_for() {
    local name=$1 seconds=$2
    shift 2
    local end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            say "$name did not start; the end of its log:"
            tail -n 20 "$ROOT/$name.log" >&2
            return 1
        fi
        sleep 0.2
    done
}

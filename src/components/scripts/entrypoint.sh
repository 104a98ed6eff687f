#!/bin/sh
# The entrypoint of an edge node: runs its arguments, in the container's environment. Where EE_DD is neither empty nor
# `0` nor `false`, it first starts a Docker daemon inside the container, which must be privileged, and waits until the
# daemon answers.
#
# EE_DD                   whether to start the daemon
# EE_DD_TIMEOUT           seconds to wait for it; 60 by default
# DOCKER_TLS_CERTDIR      where the certificates are or will be made; empty: no TLS, port 2375 instead of 2376. Those
#                         that this script made have a mark beside them, edgenode.sha256, and are renewed by it; all
#                         others are only verified
# DOCKER_TLS_SAN          more names for the server's certificate, such as `DNS:node.example,IP:10.0.0.7`
# DOCKERD_STORAGE_DRIVER  the storage driver; also DOCKER_STORAGE_DRIVER, DOCKER_DRIVER; chosen by default
# DOCKERD_DATA_ROOT       where images and containers are kept; /var/lib/docker by default
set -eu

say() { echo "[entrypoint] $*" >&2; }
fail() {
    say "$*"
    exit 1
}

# --- certificates -----------------------------------------------------------------------------------------------------

# Runs openssl, which is only heard where it fails: ssl WHAT-IS-WRONG-THEN ARGUMENT...
ssl() {
    wrong=$1
    shift
    words=$(openssl "$@" 2>&1) || {
        printf '%s\n' "$words" >&2
        fail "$wrong"
    }
}

# Whether a file is a whole private key that nobody has to unlock.
is_key() { openssl pkey -in "$1" -passin pass: -noout >/dev/null 2>&1; }

# Whether one of these files is as this script left it: made DIRECTORY FILE...
made() { (cd "$1" && shift && sha256sum "$@" | grep -qxFf - edgenode.sha256) 2>/dev/null; }

# Whether the certificate of a directory is this script's, or there is none. One that broke is known by its key.
ours() {
    [ -s "$1/cert.pem" ] || return 0
    made "$1" cert.pem || { ! openssl x509 -in "$1/cert.pem" -noout 2>/dev/null && made "$1" key.pem; }
}

# Begins a key and a certificate in DIRECTORY/.new, with the key that is there if it is good and the authority is no new
# one: begin DIRECTORY BITS
begin() {
    mkdir -p "$1"
    rm -rf "$1/.new"
    mkdir -m 700 "$1/.new"
    if [ -z "$new_authority" ] && is_key "$1/key.pem"; then
        cp "$1/key.pem" "$1/.new/key.pem"
    else
        ssl "cannot make the key $1/key.pem" genrsa -out "$1/.new/key.pem" "$2"
    fi
    chmod 600 "$1/.new/key.pem"
}

# Puts them in their place. A start may break off anywhere: a certificate that is there is whole and has its mark.
finish() {
    (cd "$1/.new" && sha256sum cert.pem key.pem >edgenode.sha256)
    rm -f "$1/cert.pem"
    for file in edgenode.sha256 ca.pem key.pem cert.pem; do
        [ ! -e "$1/.new/$file" ] || mv -f "$1/.new/$file" "$1/$file"
    done
    rm -rf "$1/.new"
}

# A private key and a signed certificate: pair DIRECTORY COMMON-NAME EXTENSIONS [HINT]
pair() {
    begin "$1" 2048
    ssl "cannot ask for $1/cert.pem" req -new -key "$1/.new/key.pem" -subj "/CN=$2" -out "$1/.new/csr.pem"
    printf '%s\n' "$3" >"$1/.new/extensions.cnf"
    ssl "$certs/ca cannot sign $1/cert.pem${4:-}" x509 -req -in "$1/.new/csr.pem" -CA "$certs/ca/cert.pem" \
        -CAkey "$certs/ca/key.pem" -CAcreateserial -days $days -extfile "$1/.new/extensions.cnf" \
        -out "$1/.new/cert.pem"
    cp "$certs/ca/cert.pem" "$1/.new/ca.pem"
    finish "$1"
}

# Every name and address that a client may know this machine by.
subject_names() {
    names="DNS:localhost,DNS:$(hostname),IP:127.0.0.1,IP:::1"
    for address in $(ip -o address show scope global | awk '{ sub("/.*", "", $4); print $4 }'); do
        names="$names,IP:$address"
    done
    echo "$names${DOCKER_TLS_SAN:+,$DOCKER_TLS_SAN}"
}

# What signs: the user's, one that an earlier start made, or a new one. What is in its way is written over and not
# removed with its directory, which may be a volume.
authority() {
    new_authority=
    if [ -s "$certs/ca/cert.pem" ]; then
        broken=
        if ! is_key "$certs/ca/key.pem"; then
            broken="has no key.pem, whole and without a passphrase"
        elif ! openssl x509 -in "$certs/ca/cert.pem" -noout 2>/dev/null; then
            broken="has a cert.pem that is no certificate"
        elif made "$certs/ca" cert.pem key.pem &&
            ! openssl x509 -in "$certs/ca/cert.pem" -noout -checkend 86400 >/dev/null; then
            broken="is out of date"
        fi
        [ -n "$broken" ] || return 0
        made "$certs/ca" cert.pem key.pem || fail "the authority in $certs/ca $broken"
        say "the authority in $certs/ca $broken: making a new one"
        new_authority=yes
    fi
    begin "$certs/ca" 4096
    ssl "cannot make $certs/ca/cert.pem" req -new -x509 -key "$certs/ca/.new/key.pem" -days $days \
        -subj "/CN=edge node CA" -out "$certs/ca/.new/cert.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    finish "$certs/ca"
}

# Certificates are good if the authority signed them, they are not over, and the key is theirs: verify DIRECTORY
verify() {
    for file in ca.pem cert.pem key.pem; do
        [ -s "$1/$file" ] || fail "$1/$file is missing; the daemon needs it beside cert.pem"
    done
    # Behind the certificate its file may have those that lie between it and the authority.
    ssl "$1/cert.pem is not signed by $1/ca.pem, or is out of date" \
        verify -CAfile "$1/ca.pem" -untrusted "$1/cert.pem" "$1/cert.pem"
    [ "$(openssl x509 -in "$1/cert.pem" -noout -pubkey)" = \
        "$(openssl pkey -in "$1/key.pem" -passin pass: -pubout 2>/dev/null)" ] ||
        fail "$1/key.pem is not the key of $1/cert.pem"
}

# Sets $certs up: what the user put there is only verified, what is ours is made or renewed.
certificates() {
    days=825
    if [ -e "$certs/server/cert.pem" ] && { [ ! -e "$certs/ca/key.pem" ] || ! ours "$certs/server"; }; then
        say "using the certificates in $certs"
        verify "$certs/server"
        return
    fi
    authority
    hint=
    [ -z "${DOCKER_TLS_SAN:-}" ] ||
        hint="; DOCKER_TLS_SAN has names such as DNS:node.example,IP:10.0.0.7, and is '$DOCKER_TLS_SAN'"
    pair "$certs/server" "$(hostname | cut -c -64)" "subjectAltName=$(subject_names)
extendedKeyUsage=serverAuth" "$hint"
    if ours "$certs/client"; then
        pair "$certs/client" "edge node client" "extendedKeyUsage=clientAuth"
    fi
    verify "$certs/server"
    verify "$certs/client"
}

# --- storage ----------------------------------------------------------------------------------------------------------

# Whether the kernel can lay a directory of the data root over another.
can_overlay() {
    [ "$(stat -f -c %T "$data_root")" != overlayfs ] || return 1
    work=$(mktemp -d "$data_root/edgenode.XXXXXX") || return 1
    mkdir "$work/lower" "$work/upper" "$work/work" "$work/merged"
    result=1
    if mount -t overlay overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/work" "$work/merged" \
        2>/dev/null; then
        umount "$work/merged"
        result=0
    fi
    rm -rf "$work"
    return $result
}

storage_driver() {
    wanted=${DOCKERD_STORAGE_DRIVER:-${DOCKER_STORAGE_DRIVER:-${DOCKER_DRIVER:-}}}
    if [ -n "$wanted" ]; then
        echo "$wanted"
    elif can_overlay; then
        echo overlay2
    elif [ -c /dev/fuse ] && command -v fuse-overlayfs >/dev/null; then
        echo fuse-overlayfs
    else
        echo vfs
    fi
}

# --- daemon -----------------------------------------------------------------------------------------------------------

# A container that was killed leaves pid files whose numbers belong to other processes by now.
remove_stale_pid_files() {
    for file in /run/docker.pid /var/run/docker.pid /run/docker/containerd/containerd.pid \
        /var/run/docker/containerd/containerd.pid; do
        [ -e "$file" ] || continue
        case $(cat "/proc/$(cat "$file")/comm" 2>/dev/null) in
        dockerd | containerd) fail "a Docker daemon already runs in this container ($file)" ;;
        esac
        rm -f "$file"
    done
}

# Kernels without nf_tables need the older programs; they get in front for the daemon only.
choose_iptables() {
    if iptables -nL >/dev/null 2>&1 || ! command -v iptables-legacy >/dev/null; then
        return
    fi
    say "iptables does not work here: using iptables-legacy"
    mkdir -p /run/edgenode/iptables
    for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
        legacy=$(command -v "$(echo "$name" | sed 's/tables/tables-legacy/')") || continue
        ln -sf "$legacy" "/run/edgenode/iptables/$name"
    done
    PATH=/run/edgenode/iptables:$PATH
}

# With control groups of version 2, containers get groups of their own only where the group above holds no process.
delegate_groups() {
    groups=/sys/fs/cgroup
    [ -w "$groups/cgroup.subtree_control" ] || return 0
    mkdir -p "$groups/init"
    while read -r pid; do
        # Processes that ended by now are no loss.
        echo "$pid" >"$groups/init/cgroup.procs" || true
    done <"$groups/cgroup.procs" 2>/dev/null
    sed 's/ / +/g; s/^/+/' "$groups/cgroup.controllers" >"$groups/cgroup.subtree_control" 2>/dev/null || true
}

# Ends the daemon, which gets a few seconds to put its things in order.
end_daemon() {
    kill "$1" 2>/dev/null || return 0
    tries=0
    while kill -0 "$1" 2>/dev/null; do
        if [ "$tries" -ge 50 ]; then
            kill -KILL "$1" || true
            break
        fi
        sleep 0.1
        tries=$((tries + 1))
    done
}

# Seconds since the machine started.
now() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

# Whether the daemon answers within so many seconds. It may accept a connection and say nothing.
answers() {
    # A signal waits until a program in front has ended, but not for one in the background.
    timeout -k 2 "$1" docker -H unix:///var/run/docker.sock version >/dev/null 2>&1 &
    wait "$!"
}

# Waits until the daemon answers. Says why, if it never does.
wait_for_daemon() {
    limit=${EE_DD_TIMEOUT:-60}
    case $limit in
    *[!0-9]*) fail "EE_DD_TIMEOUT is a number of seconds, not '$limit'" ;;
    esac
    # To the shell's arithmetic, a number with a leading 0 is octal.
    limit=${limit#"${limit%%[!0]*}"}
    limit=${limit:-0}
    begin=$(now)
    left=$limit
    while :; do
        # There is a first try, however short the time, and time for a second one, in case the first got lost.
        [ "$left" -gt 0 ] || left=1
        [ "$left" -le 10 ] || left=10
        if answers "$left"; then
            return
        fi
        if ! kill -0 "$daemon" 2>/dev/null; then
            tail -n 20 "$log" >&2
            fail "the Docker daemon ended; its log is $log"
        fi
        left=$((limit - $(now) + begin))
        if [ "$left" -le 0 ]; then
            tail -n 20 "$log" >&2
            fail "the Docker daemon did not answer within $limit seconds; its log is $log"
        fi
        sleep 1 &
        wait "$!"
    done
}

start_daemon() {
    data_root=${DOCKERD_DATA_ROOT:-/var/lib/docker}
    log=/var/log/dockerd.log
    # The daemon and its client would take these for settings of the connection between them. The program keeps its own.
    unset DOCKER_API_VERSION DOCKER_CERT_PATH DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS DOCKER_TLS_VERIFY
    mkdir -p "$data_root" "${log%/*}"
    remove_stale_pid_files
    delegate_groups
    certs=${DOCKER_TLS_CERTDIR:-}
    if [ -n "$certs" ]; then
        certificates
        set -- --host=tcp://0.0.0.0:2376 --tlsverify --tlscacert="$certs/server/ca.pem" \
            --tlscert="$certs/server/cert.pem" --tlskey="$certs/server/key.pem"
    else
        say "DOCKER_TLS_CERTDIR is empty: everyone who reaches port 2375 owns this container"
        set -- --host=tcp://0.0.0.0:2375 --tls=false
    fi
    driver=$(storage_driver)
    say "starting the Docker daemon with the storage driver $driver"
    (
        choose_iptables
        exec dockerd --host=unix:///var/run/docker.sock "$@" --storage-driver="$driver" --data-root="$data_root"
    ) >"$log" 2>&1 &
    daemon=$!
    trap 'end_daemon "$daemon"; exit 143' TERM
    wait_for_daemon
    say "the Docker daemon answers"
}

# --- program ----------------------------------------------------------------------------------------------------------

# Ends what start_daemon began, on a signal: process 1 of a container gets only those that it asks for.
give_up() {
    trap '' TERM INT
    if kill "${!:-}" 2>/dev/null; then
        wait "$!" || true
    fi
    exit 143
}

case ${EE_DD:-false} in
0 | false | False | FALSE) ;;
*)
    trap give_up TERM INT
    # In a shell of its own: a variable of this script that the container has as well would get into the program's
    # environment with the script's value.
    start_daemon &
    wait "$!" || exit "$?"
    trap - TERM INT
    ;;
esac
[ $# -gt 0 ] || set -- bash
exec "$@"

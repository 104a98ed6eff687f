#!/bin/sh
# Installs packages of the distribution: those given as arguments, and those that the files $LISTS/*/packages name.
# Archives and lists stay in the cache mounts at /var/cache/apt and /var/lib/apt; nothing volatile stays in the root.
set -eu

for list in "${LISTS:-/nonexistent}"/*/packages; do
    [ -f "$list" ] || continue
    while IFS= read -r package; do
        set -- "$@" "$package"
    done <"$list"
done
for package in "$@"; do
    case $package in
    -* | *[!a-zA-Z0-9.+:~=-]* | '')
        echo "edgenode: '$package' is not the name of a package" >&2
        exit 2
        ;;
    esac
done
[ $# -gt 0 ] || exit 0

# What no program needs is not unpacked, now and whenever packages are installed on top: texts to read but for licences,
# messages in other languages, archives of libraries that are there as shared ones, besides those of the compilers.
if [ -n "${SLIM:-}" ]; then
    mkdir -p /etc/dpkg/dpkg.cfg.d
    cat >/etc/dpkg/dpkg.cfg.d/edgenode-slim <<'CONFIG'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
path-exclude=/usr/lib/*/*/*.a
path-include=/usr/lib/gcc/*
CONFIG
fi

export DEBIAN_FRONTEND=noninteractive
mkdir -p /var/cache/apt/archives/partial /var/lib/apt/lists/partial
# Images of distributions tell apt to delete archives after use (docker-clean); the cache wants to keep them. dpkg need not
# wait for the disk: what a step leaves is only taken when it has ended.
config=$(mktemp)
cat >"$config" <<'CONFIG'
APT::Keep-Downloaded-Packages "true";
Binary::apt::APT::Keep-Downloaded-Packages "true";
#clear DPkg::Post-Invoke;
#clear APT::Update::Post-Invoke;
Acquire::Retries "3";
Dpkg::Use-Pty "0";
Dpkg::Options { "--force-unsafe-io"; };
CONFIG
export APT_CONFIG="$config"
apt-get update -q
apt-get install -q -y --no-install-recommends -- "$@"
rm -f "$config"
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
    /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old

#!/bin/sh
# Installs the archives below $ARCHIVES, which are all that is installed, and makes sure that the packages given as
# arguments, and those that the files $LISTS/*/packages name, are there then. Offline.
set -eu

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

if ls "$ARCHIVES"/*.deb >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p /var/cache/apt/archives/partial /var/lib/apt/lists/partial
    config=$(mktemp)
    cat >"$config" <<'CONFIG'
APT::Sandbox::User "root";
#clear DPkg::Post-Invoke;
#clear APT::Update::Post-Invoke;
Dpkg::Use-Pty "0";
CONFIG
    export APT_CONFIG="$config"
    apt-get install -q -y --no-install-recommends --allow-downgrades -- "$ARCHIVES"/*.deb
    rm -f "$config"
fi
for list in "${LISTS:-/nonexistent}"/*/packages; do
    [ -f "$list" ] || continue
    while IFS= read -r package; do
        set -- "$@" "$package"
    done <"$list"
done
for package in "$@"; do
    name=${package%%=*}
    if ! dpkg-query -W -f '${db:Status-Status} ${Provides}\n' "$name" 2>/dev/null | grep -q '^installed' &&
        ! dpkg-query -W -f '${db:Status-Status} ${Provides},\n' 2>/dev/null | grep -q "^installed .*\<$name\>"; then
        echo "edgenode: the lock lacks the package $name; make it anew with \`--target lock\`" >&2
        exit 1
    fi
done
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
    /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old \
    /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-

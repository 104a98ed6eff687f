#!/bin/sh
# Installs the archives below $ARCHIVES, which are all that is installed, and makes sure that the packages given as
# arguments, and those that the files $LISTS/*/packages name, are there then. Offline.
set -eu

# shellcheck source-path=SCRIPTDIR source=apt-packages.sh
. "${0%/*}/apt-packages.sh"
[ $# -eq 0 ] || keep_slim
if ls "$ARCHIVES"/*.deb >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    configure_apt <<'CONFIG'
APT::Sandbox::User "root";
Dpkg::Use-Pty "0";
CONFIG
    apt-get install -q -y --no-install-recommends --allow-downgrades -- "$ARCHIVES"/*.deb
    rm -rf "$work"
fi
for package in "$@"; do
    name=${package%%=*}
    if ! dpkg-query -W -f '${db:Status-Status} ${Provides}\n' "$name" 2>/dev/null | grep -q '^installed' &&
        ! dpkg-query -W -f '${db:Status-Status} ${Provides},\n' 2>/dev/null | grep -q "^installed .*\<$name\>"; then
        echo "edgenode: the lock lacks the package $name; make it anew with \`--target lock\`" >&2
        exit 1
    fi
done
remove_traces
rm -rf /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-

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
# Whether the package $1 is installed, at the version $2 unless that is empty, or one that provides it.
has() {
    dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Version}\t${Provides}\n' | awk -F '\t' -v name="$1" -v version="$2" '
        $1 != "installed" { next }
        $2 == name && (version == "" || $3 == version) { found = 1 }
        version == "" {
            count = split($4, provided, /, */)
            for (i = 1; i <= count; i++) {
                sub(/ .*/, "", provided[i])
                if (provided[i] == name) found = 1
            }
        }
        END { exit !found }
    '
}
for package in "$@"; do
    version=
    case $package in
    *=*) version=${package#*=} ;;
    esac
    if ! has "${package%%=*}" "$version"; then
        echo "edgenode: the lock lacks the package $package; make it anew with \`--target lock\`" >&2
        exit 1
    fi
done
remove_traces
rm -rf /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-

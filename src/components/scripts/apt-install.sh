#!/bin/sh
# Installs packages of the distribution: those given as arguments, and those that the files $LISTS/*/packages name.
# Archives and lists stay in the cache mounts at /var/cache/apt and /var/lib/apt; nothing volatile stays in the root. Steps
# download one after another and install side by side.
set -eu

# shellcheck source-path=SCRIPTDIR source=apt-packages.sh
. "${0%/*}/apt-packages.sh"
[ $# -gt 0 ] || exit 0

keep_slim
export DEBIAN_FRONTEND=noninteractive
# dpkg need not wait for the disk: what a step leaves is only taken when it has ended.
configure_apt <<'CONFIG'
APT::Keep-Downloaded-Packages "true";
Dpkg::Use-Pty "0";
Dpkg::Options { "--force-unsafe-io"; };
CONFIG
ask_mirror
take_cache
install_from_lists -q -y --no-install-recommends --download-only -- "$@"
# The lists as they are now, by the same path: another step may fetch newer ones meanwhile. Archives stay, so nobody needs to
# be kept off.
cp -a /var/lib/apt/lists "$work/now"
[ ! -f "$kept/srcpkgcache.bin" ] || cp "$kept/srcpkgcache.bin" "$work"
leave_cache
rm "$work/lists"
mv "$work/now" "$work/lists"
cat >>"$config" <<CONFIG
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "$work/srcpkgcache.bin";
Debug::NoLocking "true";
CONFIG
apt-get install -q -y --no-install-recommends --no-download -- "$@"
rm -rf "$work"
remove_traces

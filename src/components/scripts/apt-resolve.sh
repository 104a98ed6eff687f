#!/bin/sh
# Writes to $OUT/packages what an installation of packages of the distribution would download into the root, which is /
# here: those given as arguments, and those that the files $LISTS/*/packages name. One line for each file: name, version,
# architecture, SHA-256, size, address. Before them one for each archive that keeps what it drops: its address, and that of
# its state of today. Addresses are those of the root's own lists, even if $MIRROR was asked. Nothing is installed.
set -eu

# shellcheck source-path=SCRIPTDIR source=apt-packages.sh
. "${0%/*}/apt-packages.sh"
: >"$OUT/packages"
touch -d @0 "$OUT/packages"
[ $# -gt 0 ] || exit 0

configure_apt </dev/null
# What the cache holds already would not be listed.
mkdir -p "$work/archives/partial"
ask_mirror
take_cache
has_lists || fetch_lists
# apt's configuration may say where the states of a host's archives are kept; those of the distributions are known.
# Source: apt-get(8), option --snapshot.
now=$(date -u +%Y%m%dT%H%M%SZ)
# shellcheck disable=SC2016
apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' | sort -u >"$work/targets"
while read -r asked origin; do
    archive=$asked
    if [ -n "${MIRROR:-}" ]; then
        archive=http://${asked#"${MIRROR%/}"/}
        host=${archive#*://}
        ! grep -qsF "https://${host%%/*}/" /etc/apt/sources.list /etc/apt/sources.list.d/* || archive=https://$host
    fi
    echo "$asked $archive" >>"$work/origins"
    below=${archive#*://}
    below=${below%/}
    host=${below%%/*} path=${below#*/}
    template=$(apt-config dump --format '%v%n' "Acquire::Snapshots::URI::Host::${host%:*}")
    case $template,$origin in
    *@PATH@*@SNAPSHOTID@*) ;;
    *,Debian) template=https://snapshot.debian.org/archive/@PATH@/@SNAPSHOTID@/ path=${path##*/} ;;
    *,Ubuntu) template=https://snapshot.ubuntu.com/@PATH@/@SNAPSHOTID@/ path=${path##*/} ;;
    *) continue ;;
    esac
    rest=${template#*@PATH@}
    echo "$archive ${template%%@PATH@*}$path${rest%%@SNAPSHOTID@*}$now${rest#*@SNAPSHOTID@}"
done <"$work/targets" >"$work/snapshots"
apt-get install -qq --print-uris --no-install-recommends -o "Dir::Cache::archives=$work/archives" -- "$@" >"$work/uris"
# 'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE DIGEST, where a colon of the version is %3a. Other tools than apt-cache know
# the SHA-256 of every archive.
sed -n "s/^'\([^']*\)' \([^ ]*\)_\([^ ]*\)_\([^ ]*\)\.deb \([0-9]*\).*/\2 \3 \4 \5 \1/p" "$work/uris" |
    sed 's/ \([0-9]*\)%3a/ \1:/' | sort >"$work/files"
if [ "$(wc -l <"$work/uris")" -ne "$(wc -l <"$work/files")" ]; then
    echo "edgenode: what apt-get lists cannot be read:" >&2
    cat "$work/uris" >&2
    exit 1
fi
[ -s "$work/files" ] || exit 0
cp "$work/snapshots" "$OUT/packages"
awk '{ print $1 ":" $3 "=" $2 }' "$work/files" | sed 's/:all=/=/' |
    xargs apt-cache -o "Dir::Cache::archives=$work/archives" show >"$work/records"
awk '
    FILENAME == ARGV[1] {
        own[$1] = $2
        next
    }
    FILENAME == ARGV[2] {
        if ($1 == "Package:") package = $2
        if ($1 == "Version:") version = $2
        if ($1 == "Architecture:") architecture = $2
        if ($1 == "SHA256:") sum[package " " version " " architecture] = $2
        next
    }
    {
        digest = sum[$1 " " $2 " " $3]
        if (digest == "") {
            print "edgenode: the index has no SHA-256 of " $1 " " $2 >"/dev/stderr"
            exit 1
        }
        for (archive in own) if (index($5, archive) == 1) {
            $5 = own[archive] substr($5, length(archive) + 1)
            break
        }
        print $1, $2, $3, digest, $4, $5
    }
' "$work/origins" "$work/records" "$work/files" >>"$OUT/packages"
rm -rf "$work"
touch -d @0 "$OUT/packages"
cat "$OUT/packages"

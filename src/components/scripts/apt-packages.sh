#!/bin/sh
# Sourced by the scripts that install packages of the distribution, or find out which those are.

# The packages are the arguments, and those that the files $LISTS/*/packages name.
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

# With $SLIM what no program needs is not unpacked, now and whenever packages are installed on top: texts to read but for
# licences, messages in other languages, archives of libraries that are there as shared ones, besides the compilers'.
keep_slim() {
    [ -n "${SLIM:-}" ] || return 0
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
}

# Writes to apt's configuration $1 where it asks, and as whom: with $MIRROR all archives are there, each below the name of
# its host; $NETRC has names and passwords. $2 is a directory for that.
ask_mirror() {
    [ -z "${NETRC:-}" ] || printf 'Dir::Etc::netrc "%s";\n' "$NETRC" >>"$1"
    [ -n "${MIRROR:-}" ] || return 0
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] || continue
        awk '
            BEGIN {
                mirror = ENVIRON["MIRROR"]
                sub(/\/*$/, "/", mirror)
            }
            { gsub(/https?:\/\//, mirror) }
            { print }
        ' "$list" >"$2/${list##*/}"
    done
    printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' "$2" >>"$1"
}

# Nothing volatile stays in the root.
remove_traces() {
    rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
        /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old
}

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
path-exclude=/usr/lib/*/*.a
path-include=/usr/lib/gcc/*
CONFIG
    # Those of the C library, which programs are linked with even where they share it. dpkg keeps all links below the part
    # of a pattern that has no `*`.
    for directory in /usr/lib/*-linux-*/; do
        for name in BrokenLocale anl c c_nonshared dl g m 'm-*' mcheck mvec pthread pthread_nonshared resolv rt util; do
            echo "path-include=${directory}lib$name.a" >>/etc/dpkg/dpkg.cfg.d/edgenode-slim
        done
    done
}

# Gives apt a configuration below $work, a directory for this step: the root's own files, and $config, which is standard
# input, after them. What $APT_CONFIG names would be read before them, and overruled. Source: apt.conf(5). Images of
# distributions tell apt to delete archives after use (docker-clean), even where it only asks for lists; the cache wants to
# keep them, and steps beside this one install them. Archives are kept by where a root takes them from: apt knows them by
# name and size, and deletes what is not what its own lists say. What it has read of lists it keeps there, too, so that the
# next step need not read them again while they are the same and have the same path. A name is a name, not a pattern, and
# lists that cannot be had are an error, not old ones. Nobody is asked anything before packages are unpacked.
configure_apt() {
    work=/tmp/edgenode-apt
    mkdir "$work"
    kept=/var/cache/apt/$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | sha256sum | cut -c 1-16)
    mkdir -p "$kept/partial" /var/lib/apt/lists/partial
    ln -s /var/lib/apt/lists "$work/lists"
    mkdir "$work/apt.conf.d"
    [ ! -d /etc/apt/apt.conf.d ] || cp -R /etc/apt/apt.conf.d/. "$work/apt.conf.d"
    config=$work/apt.conf.d/zz-edgenode
    {
        printf '#clear %s;\n' DPkg::Post-Invoke APT::Update::Post-Invoke DPkg::Pre-Install-Pkgs
        printf 'Dir::State::lists "%s/lists";\n' "$work"
        printf 'Dir::Cache::archives "%s";\n' "$kept"
        printf 'Dir::Cache::srcpkgcache "%s/srcpkgcache.bin";\n' "$kept"
        printf '%s;\n' 'APT::Cmd::Pattern-Only "true"' 'APT::Update::Error-Mode "any"' 'Acquire::Retries "3"'
        cat
    } >"$config"
    printf 'Dir::Etc::parts "%s";\n' "$work/apt.conf.d" >"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
}

# Tells apt where it asks, and as whom: with $MIRROR all archives are there, each below the name of its host; $NETRC has
# names and passwords.
ask_mirror() {
    [ -z "${NETRC:-}" ] || printf 'Dir::Etc::netrc "%s";\n' "$NETRC" >>"$config"
    [ -n "${MIRROR:-}" ] || return 0
    mkdir "$work/sources.list.d"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] || continue
        awk '
            BEGIN {
                mirror = ENVIRON["MIRROR"]
                sub(/\/*$/, "/", mirror)
            }
            { gsub(/https?:\/\//, mirror) }
            { print }
        ' "$list" >"$work/sources.list.d/${list##*/}"
    done
    printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' "$work/sources.list.d" >>"$config"
}

# apt's cache is one of all steps on a builder: who changes it is alone, until it leaves or ends.
take_cache() {
    exec 9>/var/cache/apt/edgenode.lock
    flock 9
}
leave_cache() {
    flock -u 9
    exec 9>&-
}

# Has apt fetch the lists. $fetched has the archives and the session that they are of, and its time.
fetched=/var/cache/apt/edgenode.lists
fetch_lists() {
    rm -f "$fetched"
    apt-get update -q
    printf '%s\n' "$kept ${MIRROR:-}" "${SESSION:-}" >"$fetched"
}

# Whether there are lists of the root's archives, and no others, that count: those of the same $SESSION, in which all of a
# lock is made; else those of the last ten minutes.
has_lists() {
    [ -f "$fetched" ] || return 1
    { IFS= read -r whose && IFS= read -r session; } <"$fetched"
    [ "$whose" = "$kept ${MIRROR:-}" ] || return 1
    ls /var/lib/apt/lists/*Release >/dev/null 2>&1 || return 1
    if [ -n "${SESSION:-}" ]; then
        [ "$session" = "$SESSION" ]
    else
        [ -n "$(find "$fetched" -mmin -10)" ]
    fi
}

# Does as `apt-get install` is told, with lists that count unless they lack what is asked for: it may have come out since.
install_from_lists() {
    if has_lists && apt-get install "$@"; then
        return 0
    fi
    fetch_lists
    apt-get install "$@"
}

# Nothing volatile stays in the root.
remove_traces() {
    rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
        /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old
}

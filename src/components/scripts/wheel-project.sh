#!/bin/sh
# Sourced by the scripts that read, ask and build the Python project in $SOURCE, or in its only directory, or in $SUBDIRECTORY
# of that.

# Sets $whole to where all of the source is.
find_whole() {
    set -- "$SOURCE"/*
    # Archives have all in one directory, or nothing around it.
    if [ $# -ne 1 ] || [ ! -d "$1" ]; then set -- "$SOURCE"; fi
    whole=$1
}

# Goes to the project, in a copy of its source in $BUILD. Where it asks the history of its repository for its version, it is
# told $SCM_VERSION.
enter_copy() {
    export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
    # The same source gives the same bytes. Zip archives know no earlier time.
    export SOURCE_DATE_EPOCH=315532800
    if [ -n "${SCM_VERSION:-}" ]; then
        export SETUPTOOLS_SCM_PRETEND_VERSION="$SCM_VERSION" PDM_BUILD_SCM_VERSION="$SCM_VERSION"
    fi
    find_whole
    cp -r "$whole" "$BUILD/source"
    cd "$BUILD/source/$SUBDIRECTORY" || exit
}

#!/bin/sh
# Builds the wheel of the Python package $NAME into $OUT, offline, with the interpreter $PYTHON and what is installed beside
# it. Its project is in $SOURCE, or in its only directory, or in $SUBDIRECTORY of that. Where it asks the history of its
# repository for its version, it is told $SCM_VERSION.
set -eu

export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# The same source gives the same bytes. Zip archives know no earlier time.
export SOURCE_DATE_EPOCH=315532800
if [ -n "${SCM_VERSION:-}" ]; then
    export SETUPTOOLS_SCM_PRETEND_VERSION="$SCM_VERSION" PDM_BUILD_SCM_VERSION="$SCM_VERSION"
fi
set -- "$SOURCE"/*
# Archives have all in one directory, or nothing around it.
if [ $# -ne 1 ] || [ ! -d "$1" ]; then set -- "$SOURCE"; fi
cp -r "$1" "$BUILD/source"
cd "$BUILD/source/$SUBDIRECTORY"
"$PYTHON" -m pip wheel --no-deps --no-build-isolation --wheel-dir "$OUT" .
built=$(cd "$OUT" && echo *.whl)
normal=$(echo "${built%%-*}" | tr 'A-Z._' 'a-z--' | tr -s -)
if [ "$normal" != "$NAME" ]; then
    echo "edgenode: the project is the package $normal, not $NAME" >&2
    exit 1
fi

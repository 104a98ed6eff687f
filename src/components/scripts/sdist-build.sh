#!/bin/sh
# Builds the Python package $NAME at $VERSION from its unpacked source archive $SOURCE, offline, with the interpreter
# $PYTHON and what is installed beside it, and installs it where that looks for packages, into $OUT. The arguments are
# settings for the package's build system. A version other than the one that the archive turns out to have is refused.
set -eu

export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
cp -r "$SOURCE"/*/ "$BUILD/source"
for setting in "$@"; do
    shift
    set -- "$@" --config-settings "$setting"
done
"$PYTHON" -m pip wheel --no-deps --no-build-isolation --wheel-dir "$BUILD/wheels" "$@" "$BUILD/source"
"$PYTHON" -m pip install --no-deps --no-compile --no-warn-script-location --ignore-installed \
    --find-links "$BUILD/wheels" --root "$OUT" "$NAME==$VERSION"
find "$OUT" -name __pycache__ -type d -prune -exec rm -rf {} +

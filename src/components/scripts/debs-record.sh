#!/bin/sh
# Writes to $OUT what dpkg's database says about the packages $DEBS/*.deb, whose files were unpacked to $TREE: paragraphs
# of its file `status`, and for each package the lists of its files and of their digests. Files that were left out are
# not listed. With $STAND_IN (a package's name) one more paragraph says that it provides $PROVIDES, at version $VERSION.
set -eu

mkdir -p "$OUT/info"

# Whether a path of a package lies in the tree, there or behind a link such as /lib.
lies() { [ -e "$TREE$1" ] || [ -L "$TREE$1" ] || [ -e "$TREE/usr$1" ] || [ -L "$TREE/usr$1" ]; }

for deb in "$DEBS"/*.deb; do
    package=$(dpkg-deb -f "$deb" Package)
    name=$package
    if [ "$(dpkg-deb -f "$deb" Multi-Arch)" = same ]; then
        name=$package:$(dpkg-deb -f "$deb" Architecture)
    fi
    dpkg-deb -f "$deb" | sed "1,/^Package:/s/^\(Package:.*\)/\1\nStatus: install ok installed/" >>"$OUT/status"
    echo >>"$OUT/status"
    dpkg-deb --fsys-tarfile "$deb" | tar -t --quoting-style=literal | sed 's|^\./|/|; s|\(.\)/$|\1|; s|^/$|/.|' | while IFS= read -r path; do
        if lies "$path"; then echo "$path"; fi
    done >"$OUT/info/$name.list"
    control=$(mktemp -d)
    dpkg-deb -e "$deb" "$control"
    if [ -f "$control/md5sums" ]; then
        while IFS= read -r line; do
            if lies "/${line#*  }"; then echo "$line"; fi
        done <"$control/md5sums" >"$OUT/info/$name.md5sums"
    fi
    rm -rf "$control"
done

if [ -n "${STAND_IN:-}" ]; then
    cat >>"$OUT/status" <<STATUS
Package: $STAND_IN
Status: install ok installed
Priority: optional
Section: libs
Maintainer: edgenode
Architecture: all
Version: $VERSION
Provides: $PROVIDES
Description: libraries that the image has from Python packages
 Programs find them in the directory of the CUDA toolkit.

STATUS
    echo /. >"$OUT/info/$STAND_IN.list"
fi
find "$OUT" -exec touch -h -d @0 {} +

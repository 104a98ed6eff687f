"""Says what packages of this interpreter a resolution leaves as they are: DIRECTORY KEPT CONSTRAINTS ODD.

For each line `NAME==VERSION` of the list KEPT a wheel without files is written to DIRECTORY, and to the list CONSTRAINTS a line
that names it: what others ask of the package must hold then, and it is not taken from an index. The wheel requires only what
the package's extras need; what it needs itself is there already, or its vendor does without. Packages that are called or
numbered as no wheel can be are added to the list ODD."""

import re
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

# Source: PEP 440, in its normal form.
VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
WHEEL = "Wheel-Version: 1.0\nGenerator: edgenode\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def text(name, version):
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return "\n".join(lines) + "\n"
    lines += [f"Provides-Extra: {extra}" for extra in told.get_all("Provides-Extra") or []]
    needed = told.get_all("Requires-Dist") or []
    lines += [f"Requires-Dist: {line}" for line in needed if re.search(r"\bextra\b", line.partition(";")[2])]
    return "\n".join(lines) + "\n"


def packages(lines):
    """Names and versions of the packages by the names that files have. Each is there once: of one whose earlier release left
    its metadata behind, what is found."""
    found = {}
    for line in lines:
        name, _, version = line.strip().partition("==")
        normal = re.sub(r"[-_.]+", "_", name).lower()
        if normal in found:
            version = metadata(name)["Version"]
        found[normal] = name, version
    return found


def main(directory, kept, constraints, odd):
    for normal, (name, version) in packages(kept).items():
        if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
            print(name, file=odd)
            continue
        stem = f"{normal}-{version}"
        path = directory / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            info = f"{stem}.dist-info"
            wheel.writestr(f"{info}/METADATA", text(name, version))
            wheel.writestr(f"{info}/WHEEL", WHEEL)
            wheel.writestr(f"{info}/RECORD", "")
        print(f"{name} @ {path.as_uri()}", file=constraints)


if __name__ == "__main__":
    _, directory, kept, constraints, odd = sys.argv
    with open(kept) as kept, open(constraints, "w") as constraints, open(odd, "a") as odd:
        main(Path(directory), kept, constraints, odd)

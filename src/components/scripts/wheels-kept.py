"""Says what packages this interpreter has, for a resolution that leaves them as they are: DIRECTORY CONSTRAINTS ODD.

For each of them a wheel without files is written to DIRECTORY, and to the list CONSTRAINTS a line that names it: what others
ask of it must hold then, and it is not taken from an index. It requires only what its extras need; what it needs itself is
there already, or its vendor does without. Those that are called or numbered as no wheel can be are added to the list ODD."""

import re
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

# Source: PEP 440, in its normal form.
VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
WHEEL = "Wheel-Version: 1.0\nGenerator: edgenode\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata(package, name):
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {package.version}"]
    lines += [f"Provides-Extra: {extra}" for extra in package.metadata.get_all("Provides-Extra") or []]
    needed = package.metadata.get_all("Requires-Dist") or []
    lines += [f"Requires-Dist: {text}" for text in needed if re.search(r"\bextra\b", text.partition(";")[2])]
    return "\n".join(lines) + "\n"


def main(directory, constraints, odd):
    seen = set()
    for package in distributions():
        name = package.metadata["Name"] or ""
        normal = re.sub(r"[-_.]+", "_", name).lower()
        if not name or normal in seen:
            continue
        seen.add(normal)
        if not NAME.fullmatch(name) or not VERSION.fullmatch(package.version):
            print(name, file=odd)
            continue
        path = directory / f"{normal}-{package.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            info = f"{normal}-{package.version}.dist-info"
            wheel.writestr(f"{info}/METADATA", metadata(package, name))
            wheel.writestr(f"{info}/WHEEL", WHEEL)
            wheel.writestr(f"{info}/RECORD", "")
        print(f"{name} @ {path.as_uri()}", file=constraints)


if __name__ == "__main__":
    with open(sys.argv[2], "w") as constraints, open(sys.argv[3], "a") as odd:
        main(Path(sys.argv[1]), constraints, odd)

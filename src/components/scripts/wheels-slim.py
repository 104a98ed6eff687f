"""Frees the packages installed below the prefix given as argument of what nothing loads: static archives, the symbols
and debug information of shared libraries, and second copies of libraries, which become names of the first.

Stripping vendors' libraries can break them: the tools that make wheels move parts of ELF files about, and `strip` does
not always lay out again what it finds. So a stripped library takes the place of the other one only where the headers of
its segments and every byte that the loader maps are the same as before; then nothing that runs can tell the difference.
Programs are left as they are: some carry data behind what is mapped.

The packages' records stay true: they get the new digests, and lose what is deleted.
"""

import base64
import csv
import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LOAD, SYMTAB = 1, 2
# The fields of the ELF header that tell where the sections are, which no loader reads.
SECTIONS = (40, 64)


def headers(data):
    """The program headers of a 64-bit little-endian ELF file, and the types of its sections. Raises struct.error where
    they lie outside of the file, as those of packed ones do."""
    segments, sections = struct.unpack_from("<QQ", data, 32)
    size, count, section_size, section_count = struct.unpack_from("<HHHH", data, 54)
    types = [struct.unpack_from("<I", data, sections + i * section_size + 4)[0] for i in range(section_count)]
    return [struct.unpack_from("<IIQQQQQQ", data, segments + i * size) for i in range(count)], types


def loads_the_same(one, other):
    """Whether the loader maps the same bytes to the same places, whichever of two files it is given."""
    segments = headers(one)[0]
    if headers(other)[0] != segments:
        return False
    for kind, _, offset, _, _, length, _, _ in segments:
        while kind == LOAD and length > 0:
            count = min(length, 1 << 20)
            a, b = bytearray(one[offset:offset + count]), bytearray(other[offset:offset + count])
            if offset == 0:
                a[slice(*SECTIONS)] = b[slice(*SECTIONS)] = b""
            if a != b:
                return False
            offset, length = offset + count, length - count
    return True


def strip(path, work):
    """Strips a library, if that changes nothing that is loaded. Tells whether it did."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            return False
        before = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with before:
        try:
            if SYMTAB not in headers(before)[1]:
                return False
        except struct.error:
            return False
        stripped = work / "stripped"
        command = ["strip", "--strip-unneeded", "-o", stripped, path]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return False
        with open(stripped, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as after:
            if not loads_the_same(before, after):
                return False
    # Written into the file, whose mode stays.
    shutil.copyfile(stripped, path)
    return True


def link(paths):
    """Makes equal libraries one file with several names. Wheels cannot hold links, so they hold copies: of each library
    under its soname and under its full name. Gives the bytes that are freed."""
    freed, first = 0, {}
    sizes = Counter(path.stat().st_size for path in paths)
    for path in paths:
        status = path.stat()
        if sizes[status.st_size] == 1:
            continue
        key = status.st_mode, hashlib.sha256(path.read_bytes()).digest()
        if key in first:
            path.unlink()
            os.link(first[key], path)
            freed += status.st_size
        else:
            first[key] = path
    return freed


def correct(record, changed, deleted):
    """Makes a package's record of its files true again."""
    root = record.parent.parent
    with open(record, newline="") as file:
        old = list(csv.reader(file))
    new = []
    for row in old:
        if len(row) != 3:
            # Not one that an installer wrote: packages can hold others within them.
            return
        name, digest, size = row
        path = Path(os.path.normpath(root / name))
        if path in changed:
            data = path.read_bytes()
            encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            digest, size = f"sha256={encoded}", str(len(data))
        if path not in deleted:
            new.append([name, digest, size])
    if new != old:
        with open(record, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(new)


def main(prefix):
    changed, deleted, freed = set(), set(), 0
    paths = [path for path in sorted(prefix.rglob("*")) if path.is_file() and not path.is_symlink()]
    with tempfile.TemporaryDirectory() as work:
        for path in paths:
            size = path.stat().st_size
            if path.suffix == ".a":
                path.unlink()
                deleted.add(path)
                freed += size
            elif ".so" in path.suffixes and strip(path, Path(work)):
                changed.add(path)
                freed += size - path.stat().st_size
    linked = link([path for path in paths if ".so" in path.suffixes and path not in deleted])
    for record in prefix.rglob("*.dist-info/RECORD"):
        correct(record, changed, deleted)
    print(f"{len(deleted)} archives deleted, {len(changed)} libraries stripped, {freed / 1e6:.1f} MB freed, "
          f"{linked / 1e6:.1f} MB were copies")


main(Path(sys.argv[1]))

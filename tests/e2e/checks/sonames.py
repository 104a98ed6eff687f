"""No shared library is there twice: no two files below the arguments have the same soname. Links do not count, nor
does what wheels bring for themselves alone."""

import fnmatch
import os
import struct
import sys
from collections import defaultdict

LOAD, DYNAMIC = 1, 2
STRTAB, SONAME = 5, 14
# Copies that only their own package finds, and that no other copy could take the place of.
PRIVATE = {
    "*.libs/*": "auditwheel's copies, which are loaded by their hashed file names",
    "*/triton/backends/nvidia/lib/cupti/*": "of the release of CUPTI that triton's profiler is built with",
    "*/torch/lib/libgomp*": "of the compiler that torch is built with",
    "*/onnxruntime/capi/*": "of the release of OpenVINO that ONNX Runtime is built with",
}


def soname(path):
    """The soname of a 64-bit little-endian ELF file, read from its dynamic segment; none for other files."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return None
        (table,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<HH", head, 54)
        file.seek(table)
        segments = [struct.unpack_from("<IIQQQQQQ", file.read(size)) for _ in range(count)]
        entries = {}
        for kind, _, offset, _, _, length, _, _ in segments:
            if kind == DYNAMIC:
                file.seek(offset)
                entries.update(struct.iter_unpack("<qQ", file.read(length - length % 16)))
        if SONAME not in entries:
            return None
        # The string table is named by its address, which a loaded segment maps.
        for kind, _, offset, address, _, length, _, _ in segments:
            if kind == LOAD and address <= entries[STRTAB] < address + length:
                file.seek(entries[STRTAB] - address + offset + entries[SONAME])
                return file.read(4096).split(b"\0")[0].decode()
    return None


def libraries(tops):
    """The files by their soname. A file with several names counts once."""
    found, seen = defaultdict(list), set()
    for top in tops:
        for directory, _, names in os.walk(top):
            for path in (os.path.join(directory, name) for name in sorted(names)):
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                inode = (os.stat(path).st_dev, os.stat(path).st_ino)
                private = any(fnmatch.fnmatch(path, pattern) for pattern in PRIVATE)
                name = None if private or inode in seen else soname(path)
                seen.add(inode)
                if name:
                    found[name].append(path)
    return found


found = libraries(sys.argv[1:])
twice = {name: paths for name, paths in found.items() if len(paths) > 1}
print(f"{sum(map(len, found.values()))} shared libraries, {len(twice)} sonames twice")
for name, paths in sorted(twice.items()):
    print(f"{name} is there more than once:", *paths, file=sys.stderr)
sys.exit(1 if twice or not found else 0)

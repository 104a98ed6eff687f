"""Every ELF file of the component trees finds all its libraries, and nothing that compiles is left.
Argument: more of such files must be there."""

import os
import shutil
import subprocess
import sys

problems = []
checked = 0
for top in ("/opt/python", "/usr/local"):
    for directory, _, files in os.walk(top):
        for path in (os.path.join(directory, name) for name in files):
            if os.path.islink(path):
                continue
            with open(path, "rb") as file:
                if file.read(4) != b"\x7fELF":
                    continue
            ldd = subprocess.run(["ldd", path], capture_output=True, text=True)
            checked += 1
            problems += [f"{path}: {line.strip()}" for line in ldd.stdout.splitlines() if "not found" in line]
assert checked > int(sys.argv[1]), f"only {checked} ELF files"

status = subprocess.run(["dpkg-query", "-Wf", "${db:Status-Abbrev} ${Package}\n"], capture_output=True, text=True)
installed = [line.split()[1] for line in status.stdout.splitlines() if line.startswith("ii")]
assert "dpkg" in installed
problems += [f"package {name}" for name in installed if name.endswith("-dev") or name in ("gcc", "g++", "make", "binutils")]
problems += [f"program {name}" for name in ("cc", "gcc", "g++", "make", "nasm", "cmake", "meson") if shutil.which(name)]
for left in ("/run/edgenode", "/run/edgenode-out", "/run/edgenode-build", "/run/edgenode-ccache",
             "/run/edgenode-uv-cache", "/opt/build", "/root/.cache", "/var/cache/apt/edgenode.lists",
             "/var/cache/apt/edgenode.lock", "/tmp/edgenode-apt"):
    if os.path.exists(left):
        problems.append(f"left behind: {left}")
for cache, ends in (("/var/cache/apt", (".deb", ".bin")), ("/var/lib/apt/lists", ("Packages", "Release", ".lz4", ".xz"))):
    for directory, _, files in os.walk(cache):
        problems += [f"left behind: {directory}/{name}" for name in files if name.endswith(ends)]
audit = subprocess.run(["dpkg", "--audit"], capture_output=True, text=True)
problems += audit.stdout.splitlines()
print(f"{checked} ELF files, {len(installed)} packages")
if problems:
    sys.exit("\n".join(problems))

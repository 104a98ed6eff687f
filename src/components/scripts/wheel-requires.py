"""Prints what the Python project in a directory is built with, a requirement in a line (PEP 518), and after that the lines of
a second argument, if there is one: the file of those that its build backend asks for (PEP 517)."""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

# A release of a package (PEP 508): in a file of requirements other lines are options, addresses and paths.
RELEASE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^]\s]*\])?\s*(\(?[<>=!~][^;@:/\\\s]*[^;@:/\\]*)?(;[^\n\r]*)?")
# What PEP 518 and pip take for a project that does not say it.
USUAL = ["setuptools", "wheel"]


def requires(project):
    file = project / "pyproject.toml"
    if not file.exists():
        if not (project / "setup.py").exists():
            sys.exit(f"edgenode: no Python project: {project} has neither pyproject.toml nor setup.py")
        return USUAL
    try:
        said = tomllib.loads(file.read_text()).get("build-system", {}).get("requires", USUAL)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as problem:
        sys.exit(f"edgenode: pyproject.toml cannot be read: {problem}")
    return said if isinstance(said, list) else [said]


asked = [line for file in sys.argv[2:] for line in Path(file).read_text().splitlines()]
for requirement in requires(Path(sys.argv[1])) + asked:
    release = RELEASE.fullmatch(requirement) if isinstance(requirement, str) else None
    # What is not printable may end a line, and begin an option on the next.
    if not release or not requirement.isprintable():
        sys.exit(f"edgenode: the project is built with {requirement!r}, which is no release of a package")
    if release[1].lower() == "torch":
        # It must be the image's own, which is not there yet.
        sys.exit("edgenode: the project is built with torch; write an entry of `sdists` with `uses: [torch]` for it")
    print(requirement)

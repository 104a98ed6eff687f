"""Prints what the Python project in a directory is built with, a requirement in a line (PEP 518)."""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

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


for requirement in requires(Path(sys.argv[1])):
    # In a file of requirements other lines are options or paths.
    if not isinstance(requirement, str) or not re.fullmatch(r"[A-Za-z0-9][^\n\r@]*", requirement):
        sys.exit(f"edgenode: the project is built with {requirement!r}, which is no release of a package")
    print(requirement)

"""Asks the build backend of the Python project in the working directory what it builds a wheel with besides what the project
says (PEP 517). Writes that to a file, a requirement in a line."""

import importlib
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

# What PEP 517 and pip take for a project that does not say it.
USUAL = "setuptools.build_meta:__legacy__"


def backend():
    file = Path("pyproject.toml")
    said = tomllib.loads(file.read_text()).get("build-system", {}) if file.exists() else {}
    # They take the place of this script's own directory.
    sys.path[:1] = [str(Path(path).resolve()) for path in said.get("backend-path", [])]
    module, _, attributes = said.get("build-backend", USUAL).partition(":")
    found = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


output = Path(sys.argv[1])
hook = getattr(backend(), "get_requires_for_build_wheel", None)
asked = hook(None) if hook else []
if not isinstance(asked, (list, tuple)) or not all(isinstance(one, str) for one in asked):
    sys.exit(f"edgenode: the project's build backend asks for {asked!r}, which is no list of requirements")
# Whoever installs them looks at each line.
output.write_text("".join(f"{one}\n" for one in asked))

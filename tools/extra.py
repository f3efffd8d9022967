"""Print the pins of one of the project's extras, for an installation without the rest of the project."""

import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10: pip brings one
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]
print("\n".join(project["optional-dependencies"][sys.argv[1]]))

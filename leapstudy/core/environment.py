"""Write the lock files and `environment.yml` from `pyproject.toml`: ``python -m leapstudy.core.environment``.

One resolution serves Python 3.11 to 3.14. The test lock is made under the constraints of the other, so that
a test never sees a version that a person does not.
"""

import re
import subprocess
import sys
from pathlib import Path

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic

CONDA_PYTHON = "3.11"
RESOLVE = (
    "pip",
    "compile",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--quiet",
)
HEAD = """\
# Written by `make lock` from requirements.lock; a test holds the two together. conda (and so Binder) brings Python,
# pip brings the same versions that .venv has.
name: leapstudy
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
"""


def pins(lock: str) -> list[str]:
    """Return the lock file's requirements (``name==version ; marker``) without hashes and comments."""
    return [match.strip() for match in re.findall(r"^([A-Za-z0-9][^\s=]*==[^\\\n]+)", lock, flags=re.MULTILINE)]


def environment_yml(lock: str) -> str:
    """Return the text of `environment.yml` that installs the versions of `lock`."""
    lines = [f'      - "{pin}"' for pin in pins(lock)]
    return HEAD.format(python=CONDA_PYTHON) + "\n".join([*lines, '      - "-e ."']) + "\n"


def resolve(root: Path, target: str, *arguments: str) -> None:
    """Let uv write the lock file `target` from pyproject.toml."""
    command = [sys.executable, "-m", "uv", *RESOLVE, "pyproject.toml", *arguments, "-o", target]
    subprocess.run(command, cwd=root, check=True)


def main() -> None:
    """Write both lock files, then `environment.yml`."""
    root = paths.root()
    resolve(root, "requirements.lock", "--extra", "setup")
    resolve(root, "requirements-test.lock", "--all-extras", "--constraints", "requirements.lock")
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    write_text_atomic(root / "environment.yml", environment_yml(lock))


if __name__ == "__main__":
    main()

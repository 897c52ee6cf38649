"""What the audit looks at: the workspace's files, read once, and how a check says what is missing."""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

PROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Place:
    """The workspace and the folder of its results; files are read once."""

    root: Path
    out: Path

    def text(self, name: str) -> str:
        """Return a file's text, empty where it is not there."""
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def readme(self) -> str:
        """The README."""
        return self.text("README.md")

    @cached_property
    def project(self) -> dict[str, Any]:
        """The project file."""
        return tomllib.loads(self.text(PROJECT))

    @cached_property
    def sources(self) -> list[Path]:
        """The modules of the package."""
        return sorted((self.root / "leapstudy").rglob("*.py"))

    @cached_property
    def notebooks(self) -> list[Path]:
        """The source notebooks."""
        return sorted((self.root / "notebooks").glob("*.ipynb"))

    @cached_property
    def raw(self) -> list[Path]:
        """The folders of figures as published."""
        return sorted(path for path in (self.root / "data" / "raw").glob("*") if path.is_dir())


Check = Callable[[Place], str]
"""A check returns what is missing, or an empty text."""


def lacks(names: Iterable[str], what: str) -> str:
    """Return ``what: a, b`` where any name is left over."""
    listed = list(names)
    return f"{what}: {', '.join(listed)}" if listed else ""


def section(place: Place, title: str) -> str:
    """Return a section of the README without its heading, empty where there is none."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", place.readme, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def absent(place: Place, *names: str) -> str:
    """Return which of the files or folders are not there."""
    return lacks((name for name in names if not (place.root / name).exists()), "not there")

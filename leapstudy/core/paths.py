"""Where things are. Always from the package (or LEAPSTUDY_ROOT), never from the working directory."""

import os
from pathlib import Path


def root() -> Path:
    """Return the workspace's top folder."""
    return Path(os.environ.get("LEAPSTUDY_ROOT") or Path(__file__).resolve().parents[2])


def raw() -> Path:
    """Return the folder of figures as published (read-only)."""
    return root() / "data" / "raw"


def derived() -> Path:
    """Return the folder of what can be made again from `raw()` (ignored by git)."""
    return root() / "data" / "derived"


def notebooks() -> Path:
    """Return the folder of source notebooks."""
    return root() / "notebooks"


def params() -> Path:
    """Return the folder of parameter files."""
    return root() / "params"


def reports() -> Path:
    """Return the default folder of built pages and results."""
    return root() / "reports"

"""Which version of the package this is: one hash over its sources, cheap enough to ask at every command."""

from functools import cache
from pathlib import Path

import leapstudy
from leapstudy.core.files import sha256_bytes


@cache
def package_hash() -> str:
    """Return one hash over the package's sources: file names and bytes, in order."""
    folder = Path(leapstudy.__file__).parent
    parts = [path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in sorted(folder.rglob("*.py"))]
    return sha256_bytes(b"\0".join(parts))

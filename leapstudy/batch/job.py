"""One run: a notebook, its parameters and the name of its folder. Nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapstudy.core.names import Track


@dataclass(frozen=True, slots=True)
class Run:
    """One notebook with its parameters and the name of its folder in the output."""

    slug: str
    notebook: Path
    parameters: dict[str, Any]
    title: str
    track: Track = "public"

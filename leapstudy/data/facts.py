"""The program's facts as published: effects, money, students served, claims; each row with its source."""

from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.data.raw import checksums, read_bytes
from leapstudy.data.state import load_state


@dataclass(frozen=True, slots=True)
class Facts:
    """One frame a file of the folder of the starts, named after it; every row names its source.

    A frame is empty where the folder lists no such file: nothing is published of that.
    """

    published_effects: pd.DataFrame
    state_chronic_long: pd.DataFrame
    claims: pd.DataFrame
    funding: pd.DataFrame
    comparable_programs: pd.DataFrame
    served: pd.DataFrame


def load_facts(raw: Path | None = None) -> Facts:
    """Load the facts after comparing their checksums; see `leapstudy.data.raw.read_bytes` for the errors."""
    folder = raw or paths.raw()
    frames = {field.name: _read(folder, field.name) for field in fields(Facts)}
    return Facts(**frames)


def _read(folder: Path, name: str) -> pd.DataFrame:
    place = load_state().program.starts.split("/")[0]
    if f"{name}.csv" not in checksums(folder / place):
        return pd.DataFrame()
    content, _ = read_bytes(folder, f"{place}/{name}.csv")
    return pd.read_csv(BytesIO(content))

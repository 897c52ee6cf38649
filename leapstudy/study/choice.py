"""The comparison group on record: ranked by likeness before the program, chosen, and kept with its time and hash.

`record` is run before an outcome is looked at and writes `params/comparison.json`; `kept` reads it, refuses it where it
was changed or no longer fits the data, and gives it to the pages.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import write_text_atomic
from leapstudy.core.parameter_file import read_text
from leapstudy.data import StudyData, treated_side
from leapstudy.evidence.comparison_finder import CandidateSet, pre_period, rank_comparisons, record_choice

FILE = "comparison.json"
COMMAND = "`leapstudy choose GROUP --reason TEXT`"
AGAIN = f"Record it again with {COMMAND}."


@dataclass(frozen=True, slots=True)
class Choice:
    """The group chosen, when and why, and every set that it was ranked among; `sha256` is over all but the reason."""

    chosen: str
    made_at: str
    reason: str
    sets: tuple[CandidateSet, ...]
    sha256: str

    @property
    def chosen_set(self) -> CandidateSet:
        """The set that was chosen."""
        return next(item for item in self.sets if item.name == self.chosen)


def ranked(data: StudyData) -> tuple[CandidateSet, ...]:
    """Rank the comparison sets for all treated districts, from figures before the program alone."""
    return rank_comparisons(pre_period(data), treated_side(data.districts))


def record(data: StudyData, comparison: str, made_at: str, reason: str, path: Path | None = None) -> Choice:
    """Rank the sets, write the choice to `params/comparison.json`, and return it.

    Parameters
    ----------
    data
        The study's tables; nothing from the start on is read.
    comparison
        Name of a ranked set.
    made_at
        Time of the choice, as text.
    reason
        Why this one.
    path
        Target file; the workspace's own by default.

    Raises
    ------
    BadInput
        If `comparison` is not among the sets, or no reason is given.
    """
    if not reason.strip():
        raise BadInput("A choice is put on record with its reason, which pages quote; got a blank one.")
    sets = ranked(data)
    digest = record_choice(sets, treated_side(data.districts), comparison, made_at).sha256
    choice = Choice(comparison, made_at, reason, sets, digest)
    write_text_atomic(path or paths.params() / FILE, json.dumps(asdict(choice), indent=1) + "\n")
    return choice


def kept(data: StudyData, path: Path | None = None) -> Choice:
    """Return the choice on record, after checking it against its hash and against the data.

    Raises
    ------
    BadInput
        If there is none, its text was changed, or the data give its sets otherwise (groups declared since are no part).
    """
    file = path or paths.params() / FILE
    if not file.is_file():
        raise BadInput(f"No comparison group is on record: {file.name} is missing. Record one with {COMMAND}.")
    choice = _read(file)
    sets = choice.sets
    if record_choice(sets, treated_side(data.districts), choice.chosen, choice.made_at).sha256 != choice.sha256:
        raise BadInput(
            f"{file.name} was changed after the choice was recorded, or other units have started since. {AGAIN}"
        )
    names = {item.name for item in sets}
    if not _alike(sets, [item for item in ranked(data) if item.name in names]):
        raise BadInput(f"{file.name} does not fit the data: its sets hold others, or rank otherwise, now. {AGAIN}")
    return choice


def _read(file: Path) -> Choice:
    try:
        content = json.loads(read_text(file))
        sets = tuple(CandidateSet(**{**item, "codes": tuple(item["codes"])}) for item in content["sets"])
        return Choice(content["chosen"], content["made_at"], content["reason"], sets, content["sha256"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(f"{file.name} is not a choice on record ({type(error).__name__}: {error}). {AGAIN}") from None


def _alike(old: Sequence[CandidateSet], new: Sequence[CandidateSet]) -> bool:
    same = [(item.name, item.codes) for item in old] == [(item.name, item.codes) for item in new]
    return same and np.allclose([item.mean_gap for item in old], [item.mean_gap for item in new], atol=1e-9)

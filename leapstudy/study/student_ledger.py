"""Who stood in the groups that were answered before, so that two answers side by side give no student away.

Of two answers whose groups differ by one student, the difference of the published averages is that student's. So
files that differ from those of an earlier answer by fewer than `MIN_GROUP` students of a group are refused, unless the
analyst says that no earlier answer was published.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.students.disclosure import MIN_GROUP

LEDGER = "student_ledger.json"
REMEMBERED = 24
"""Answered files that are remembered; of each only sums over whole groups (`leapstudy.students.sketch`)."""
Sketches = Iterable[Mapping[str, Any]]


def students_apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """Return how many students two sketches of a group differ in, zero only for equal groups.

    A student who was corrected is in neither group what it was in the other, and counts once.
    """
    only_one = float(np.mean((np.array(new["sums"]) - np.array(old["sums"])) ** 2))
    return max(abs(new["students"] - old["students"]), only_one / 2)


def groups_too_close(old: Sketches, new: Sketches) -> tuple[tuple[str, bool], ...]:
    """Return place and side (visited or not) of the groups shown in both that differ by a few students only."""
    before = {(item["place"], item["visited"]): item for item in old}
    pairs = [(key, before[key], item) for item in new if (key := (item["place"], item["visited"])) in before]
    return tuple(
        key
        for key, one, other in pairs
        if min(one["students"], other["students"]) >= MIN_GROUP and 0 < students_apart(one, other) < MIN_GROUP
    )


def earlier() -> list[Sketches]:
    """Return the sketches of the files that were answered before, the newest last."""
    file = paths.derived() / LEDGER
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def remember(sketches: Sketches) -> None:
    """Write down that the groups were answered; whoever calls holds the lock of the answers."""
    told = list(sketches)
    kept = [item for item in earlier() if item != told]
    write_text_atomic(paths.derived() / LEDGER, json.dumps([*kept, told][-REMEMBERED:]))


def why_refused(sketches: Sketches, names: Mapping[str, str]) -> str:
    """Return in words why these files must not be answered beside earlier ones; empty where they may."""
    told = list(sketches)
    close = {key for old in earlier() for key in groups_too_close(old, told)}
    if not close:
        return ""
    groups = [
        f"{'visited' if visited else 'other'} students of "
        f"{'all districts' if place == ALL else names.get(place, place)}"
        for place, visited in sorted(close, key=lambda key: (key[0] != ALL, key))
    ]
    return (
        f"These files differ from files that were answered before by fewer than {MIN_GROUP} of the {groups[0]}"
        + (f" (and in {len(groups) - 1} further groups)" if len(groups) > 1 else "")
        + ". Both answers side by side would tell how those few students did. Answer again once at least "
        f"{MIN_GROUP} students of a group are new or corrected; or, if no earlier answer was shown to anybody, "
        "set `earlier_answers: unpublished` in params/students.yml."
    )

"""What was answered before, so that two answers side by side do not tell of a student.

Of two answers whose groups differ by one student, the difference of the published averages is that student's. So files
that differ from those of an earlier answer by fewer than `MIN_GROUP` students of a group are refused, unless the
analyst says that no earlier answer was published. So are the same files under other choices of who counts, since a
band of absence that is left out may hold one visited student.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from leapstudy.core import paths
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.core.phrases import counted
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.settings import StudentSettings

LEDGER = "answered_students.json"
# Answered files that are remembered; of each only sums over whole groups (`leapstudy.students.sketch`).
REMEMBERED = 24
# Parameters that say, in the same files, which students and months count.
CHOICES = ("min_comparison", "early", "months_after", "seed")
Sketches = Iterable[Mapping[str, Any]]
# What was chosen, and who stood in each group: `choices`, `sketches`.
Answer = Mapping[str, Any]

UNSEEN = "if no earlier answer was shown to anybody, set `earlier_answers: unpublished` in params/students.yml."
FEW_APART = (
    "These files differ from files that were answered before by fewer than {least} of the {group}{more}. Both answers "
    "side by side would tell how those few students did. Answer again once at least {least} students of a group are "
    "new or corrected; or, {unseen}"
)
OTHER_CHOICES = (
    "These students were answered before under other choices of who counts ({choices}). Both answers side by side "
    "could tell how the few students did that count in one of them only. Go back to the earlier choice; or, {unseen}"
)


def answer_of(sketches: Sketches, settings: StudentSettings) -> Answer:
    """Return what is remembered of an answer.

    Parameters
    ----------
    sketches
        Of its groups, see `leapstudy.students.sketch`.
    settings
        What it was made with.
    """
    choices = settings.model_dump(mode="json", include=set(CHOICES))
    if settings.draw:
        draw_hash = sha256_bytes(paths.named(settings.draw).read_bytes())
        choices["draw"] = [draw_hash, settings.rollout.level, settings.rollout.starts]
    return {"choices": choices, "sketches": list(sketches)}


def students_apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """Return how many students two sketches of a group differ in, zero only for equal groups.

    A student who was corrected is in neither group what it was in the other, and counts once.
    """
    only_one = float(np.mean((np.array(new["sums"]) - np.array(old["sums"])) ** 2))
    return max(abs(new["students"] - old["students"]), only_one / 2)


def _apart(old: Sketches, new: Sketches) -> dict[tuple[str, bool], float]:
    """Return how many students each group that is large enough to be shown in both differs in."""
    before = {(item["place"], item["visited"]): item for item in old}
    pairs = [(key, before[key], item) for item in new if (key := (item["place"], item["visited"])) in before]
    return {
        key: students_apart(one, other)
        for key, one, other in pairs
        if min(one["students"], other["students"]) >= MIN_GROUP
    }


def groups_too_close(old: Sketches, new: Sketches) -> tuple[tuple[str, bool], ...]:
    """Return place and side (visited or not) of the groups shown in both that differ by a few students only."""
    return tuple(key for key, apart in _apart(old, new).items() if 0 < apart < MIN_GROUP)


def choices_apart(old: Answer, new: Answer) -> tuple[str, ...]:
    """Return the choices that two answers about the same students, or all but a few of them, were made under."""
    if all(apart >= MIN_GROUP for apart in _apart(old["sketches"], new["sketches"]).values()):
        return ()
    both = [name for name in new["choices"] if name in old["choices"]]
    return tuple(name for name in both if old["choices"][name] != new["choices"][name])


def earlier() -> list[Answer]:
    """Return what is remembered of the answers before, the newest last."""
    file = paths.derived() / LEDGER
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def remember(answer: Answer) -> None:
    """Write down what was answered; whoever calls holds the lock of the answers."""
    answers = [item for item in earlier() if item != answer]
    write_text_atomic(paths.derived() / LEDGER, json.dumps([*answers, answer][-REMEMBERED:]))


def why_refused(answer: Answer, names: Mapping[str, str]) -> str:
    """Return in words why these files must not be answered beside earlier ones; empty where they may."""
    before = earlier()
    if close := {key for old in before for key in groups_too_close(old["sketches"], answer["sketches"])}:
        return _few_apart(sorted(close, key=lambda key: (key[0] != ALL, key)), names)
    if choices := dict.fromkeys(name for old in before for name in choices_apart(old, answer)):
        names_changed = ", ".join(f"`{name}:`" for name in choices)
        return OTHER_CHOICES.format(choices=names_changed, unseen=UNSEEN)
    return ""


def _few_apart(close: Sequence[tuple[str, bool]], names: Mapping[str, str]) -> str:
    (place, visited), *others = close
    where = "all districts" if place == ALL else names.get(place, place)
    more = f" (and of {counted(len(others), 'further group', 'further groups')})" if others else ""
    group = f"{'visited' if visited else 'other'} students of {where}"
    return FEW_APART.format(least=MIN_GROUP, group=group, more=more, unseen=UNSEEN)

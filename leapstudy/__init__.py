"""leapstudy: did our attendance program work, and how sure are we?

``import leapstudy as ls`` gives the names of `__all__`: the study's data as a tidy frame, the study's estimators for
any frame, and the study's own answers. They are loaded when they are first used.

The rooms stand in the order of the study, and each imports only those before it:
core, data, students, did, evidence, study, words, figures, site, batch, explore, cli.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leapstudy.students.guard import install_guard

if TYPE_CHECKING:
    from leapstudy.did.frames.estimators import att_gt, diff_in_diff, event_study, placebo, sensitivity
    from leapstudy.explore.show import show
    from leapstudy.study.door import answer, answer_students, panel, save

__version__ = "0.2.0"
__all__ = [
    "answer",
    "answer_students",
    "att_gt",
    "diff_in_diff",
    "event_study",
    "panel",
    "placebo",
    "save",
    "sensitivity",
    "show",
]

install_guard()
_HOMES = {
    **dict.fromkeys(__all__, "leapstudy.did.frames.estimators"),
    **dict.fromkeys(("answer", "answer_students", "panel", "save"), "leapstudy.study.door"),
    "show": "leapstudy.explore.show",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"leapstudy has no {name!r}. It has {', '.join(__all__)}.")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])

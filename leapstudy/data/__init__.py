"""The state's published figures: declared, checked, cleaned in the open.

Its names are loaded when they are first used: who only declares a table waits for no frames.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leapstudy.data.districts import District, find_district, treated_districts, treated_side
    from leapstudy.data.load import Facts, StudyData, copied, kept_study, load_facts, load_study

__all__ = [
    "District",
    "Facts",
    "StudyData",
    "copied",
    "find_district",
    "kept_study",
    "load_facts",
    "load_study",
    "treated_districts",
    "treated_side",
]
_OF_DISTRICTS = ("District", "find_district", "treated_districts", "treated_side")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'leapstudy.data' has no attribute {name!r}")
    return getattr(import_module(f"leapstudy.data.{'districts' if name in _OF_DISTRICTS else 'load'}"), name)

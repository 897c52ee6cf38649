"""Every option that the package itself has, by its legal names; those of the study are in `params/state.yml`."""

from typing import Any, Literal, get_args

from leapstudy.core.errors import bad_value

Track = Literal["public", "students"]
Role = Literal["main", "placebo", "sensitivity"]
Weights = Literal["equal", "students"]
Scale = Literal["points", "logodds"]
PriorName = Literal["flat", "published"]

Comparison = str | tuple[str, ...]
"""A comparison group by its name in `params/state.yml`, or codes of one's own choice."""

ALL_DISTRICTS = "ALL"
"""`district_code` of the rows that pool every treated district."""

ALL_SLUG = "all-districts"
"""Name of the pooled run and of its folder in `reports/`."""


WAITING = "waiting"
"""Phase of the units of a draw that no place was left for: the comparison group until the study ends."""


def options(alias: Any) -> tuple[str, ...]:
    """Return the legal names of a ``Literal`` alias, in the order of declaration."""
    return get_args(alias)


def check_option(what: str, value: object, alias: Any) -> None:
    """Raise `BadInput` unless `value` is one of the alias's names."""
    if value not in options(alias):
        raise bad_value(what, value, options(alias), "See params/study.yml for what each means.")

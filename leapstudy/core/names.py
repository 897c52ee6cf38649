"""Every option's legal names, declared once; parameters, command line and functions take them from here."""

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

from leapstudy.core.errors import bad_value

Track = Literal["public", "students"]
Role = Literal["main", "placebo", "sensitivity"]
ComparisonName = Literal["alliance", "others", "drg_gh"]
ContrastName = Literal[
    "pre_mean_to_2021_22",
    "2020_21_to_2021_22",
    "2019_20_to_2021_22",
    "placebo_2019_20_to_2020_21",
    "pre_mean_to_post_mean",
]
Edition = Literal["2022-23", "2021-22"]
Outcome = Literal["attendance_rate", "attendance_rate_high_needs", "chronic_absence"]
Weights = Literal["equal", "students"]
Scale = Literal["points", "logodds"]
PriorName = Literal["flat", "published"]

Comparison = ComparisonName | tuple[str, ...]
"""A named comparison group, or district codes of one's own choice."""

ALL_DISTRICTS = "ALL"
"""`district_code` of the rows that pool every treated district."""

ALL_SLUG = "all-districts"
"""Name of the pooled run and of its folder in `reports/`."""


def options(alias: Any) -> tuple[str, ...]:
    """Return the legal names of a ``Literal`` alias, in the order of declaration."""
    return get_args(alias)


def check_option(what: str, value: object, alias: Any) -> None:
    """Raise `BadInput` unless `value` is one of the alias's names."""
    if value not in options(alias):
        raise bad_value(what, value, options(alias), "See params/study.yml for what each means.")


def parse_comparison(given: str | Sequence[str]) -> Comparison:
    """Return a comparison group as notebooks, parameter files and commands give it.

    Parameters
    ----------
    given
        A name; codes in one text with commas between them; or a list or tuple of codes.

    Raises
    ------
    BadInput
        If it is none of these.
    """
    parts = given.split(",") if isinstance(given, str) else given
    codes = tuple(str(part).strip() for part in parts)
    if codes and all(len(code) == 7 and code.isascii() and code.isdigit() for code in codes):
        return codes
    if not isinstance(given, str) or given not in options(ComparisonName):
        raise bad_value(
            "comparison group", given, options(ComparisonName),
            "Or district codes: text of seven digits each, zeros included, with commas between them.",
        )  # fmt: skip
    return cast(ComparisonName, given)

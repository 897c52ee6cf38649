"""Comparison groups: by name or as a list of codes, with the reason wherever no fair group exists."""

import re
from collections.abc import Sequence

import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import Comparison
from leapstudy.data import StudyData
from leapstudy.data.districts import rule_mask
from leapstudy.data.state import Group, State


def comparison_label(comparison: Comparison) -> str:
    """Return the group as one cell of `estimates.csv`: its name, or the codes as one would type them."""
    return comparison if isinstance(comparison, str) else ",".join(comparison)


def comparison_codes(data: StudyData, comparison: Comparison) -> tuple[str, ...]:
    """Return the codes of a comparison group, sorted; no unit that ever starts is among them.

    Parameters
    ----------
    data
        The study's tables.
    comparison
        The name of a group of `params/state.yml`, whose rule is applied; or a sequence of codes.

    Raises
    ------
    BadInput
        For an unknown name or code, a code given twice, a treated district in the list, and an empty group.
    """
    if not isinstance(comparison, str):
        return _distinct_codes(data, tuple(comparison))
    codes = _inside(data, comparison) - _treated(data)
    if not codes and not _inside(data) - _treated(data):
        many, program = data.state.unit.many, data.state.program.short
        raise BadInput(f"All {many} of the figures had {program}. Add figures of {many} that never had it.")
    if not codes:
        raise BadInput(f"The comparison group {comparison!r} is empty. Choose another group or a list of codes.")
    return tuple(sorted(codes))


def group_of(data: StudyData, name: str) -> Group:
    """Return a comparison group's declaration."""
    if name not in data.state.groups:
        raise bad_value("comparison group", name, data.state.groups, f"Or give a list of {data.state.unit.one} codes.")
    return data.state.groups[name]


def parse_comparison(comparison: str | Sequence[str], state: State) -> Comparison:
    """Return a comparison group as notebooks, parameter files and commands give it.

    Parameters
    ----------
    comparison
        A name; codes in one text with commas between them; or a list or tuple of codes.
    state
        What is true of the study: its groups, and the form of its codes.

    Raises
    ------
    BadInput
        If it is none of these.
    """
    if isinstance(comparison, str) and comparison in state.groups:
        return comparison
    # a parameter file may hold a number or a date, which are no list either
    parts = (
        comparison.split(",")
        if isinstance(comparison, str)
        else comparison
        if isinstance(comparison, Sequence)
        else [comparison]
    )
    codes, form = tuple(str(part).strip() for part in parts), state.unit.code
    if codes and all(re.fullmatch(form.pattern, code) for code in codes):
        return codes
    raise bad_value(
        "comparison group",
        comparison,
        state.groups,
        f"Or {state.unit.noun['en'][0]} codes: text like {form.example!r}, zeros included, with commas between them.",
    )


def _require_known(data: StudyData, codes: Sequence[str]) -> None:
    """Raise `BadInput` for a code that the study does not have."""
    codes_inside, unit = _inside(data), data.state.unit
    for code in codes:
        if code not in codes_inside:
            advice = f"Codes are text like {unit.code.example!r}, zeros included."
            raise bad_value(f"{unit.one} code", code, [*sorted(codes_inside)[:3], "..."], advice)


@of_last
def _inside(data: StudyData, comparison: str = "") -> frozenset[str]:
    """Return the codes of a group's units, those with the program too; of every unit where none is named."""
    units = data.districts
    return frozenset(
        (units[rule_mask(units, group_of(data, comparison).where)] if comparison else units)["district_code"]
    )


def _distinct_codes(data: StudyData, codes: tuple[str, ...]) -> tuple[str, ...]:
    if not codes:
        raise BadInput(
            f"The comparison group is empty: the list holds no code. Give at least two {data.state.unit.one} codes."
        )
    _require_known(data, codes)
    duplicates = sorted({code for code in codes if codes.count(code) > 1})
    if duplicates:
        raise BadInput(f"The comparison group names {', '.join(duplicates)} more than once. Name each once.")
    with_leap = sorted(_treated(data) & set(codes))
    if with_leap:
        raise BadInput(
            f"The comparison group holds {', '.join(with_leap)}, which had {data.state.program.short} itself. "
            f"Compare with {data.state.unit.many} that never had it."
        )
    return tuple(sorted(codes))


@of_last
def _treated(data: StudyData) -> frozenset[str]:
    return frozenset(data.districts.loc[data.districts["treated"].astype(bool), "district_code"])


def treated_codes(data: StudyData, comparison: Comparison, treated: Sequence[str]) -> tuple[str, ...]:
    """Return the treated districts that the group can be compared with, in the order given.

    A group whose rule has `both_sides` restricts the treated side too; every other one keeps all treated districts.

    Raises
    ------
    BadInput
        For an unknown code, no district at all, and where none has a peer (with the reason).
    """
    _require_known(data, treated)
    if not treated:
        raise BadInput(f"No treated {data.state.unit.one} was given. Name at least one.")
    group = group_of(data, comparison) if isinstance(comparison, str) else None
    if group is None or not group.both_sides:
        return tuple(treated)
    codes = tuple(code for code in treated if code in _inside(data, str(comparison)))
    if not codes:
        raise BadInput(no_peer_reason(data, str(comparison), treated[0]))
    return codes


@of_last
def no_peer_reason(data: StudyData, comparison: str, code: str) -> str:
    """Say why a district has no peer in a group whose rule holds for both sides."""
    units, group = data.districts, data.state.groups[comparison]
    row = units.set_index("district_code").loc[code]
    others = [repr(name) for name, other in data.state.groups.items() if not other.both_sides]
    instead = f"Use the comparison {' or '.join(others)}, or a list of codes."
    column = next(
        name for name in group.where if not rule_mask(units, group.where)[units["district_code"] == code].all()
    )
    by, program = group.by or column, data.state.program.short
    if pd.isna(row[column]):
        return f"{row['district']} has no {by}, so {comparison!r} holds no peer for it. {instead}"
    same = units[units[column] == row[column]]
    if same["treated"].astype(bool).all():
        return (
            f"{row['district']} is in {by} {row[column]}, and all {len(same)} {data.state.unit.many} of that "
            f"group have {program}, so no peer without {program} exists. {instead}"
        )
    return (
        f"{row['district']} is in {by} {row[column]}, outside {group.words.short}, so {comparison!r} holds no peer "
        f"for it. {instead}"
    )


def refuse_overlap(treated: Sequence[str], comparison: Sequence[str]) -> None:
    """Raise `BadInput` if a district is on both sides."""
    both = sorted(set(treated) & set(comparison))
    if both:
        raise BadInput(
            f"{', '.join(both)}: both treated and in the comparison group. "
            "Nothing can be compared with itself: take it out of one side."
        )

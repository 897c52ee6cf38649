"""Comparison groups: by name or as a list of codes, with the reason wherever no fair group exists."""

from collections.abc import Sequence

import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import Comparison, ComparisonName, options

PEER_GROUPS = ("G", "H")
"""District Reference Groups that hold LEAP districts as well as districts without LEAP."""


def comparison_label(comparison: Comparison) -> str:
    """Return the group as one cell of `estimates.csv`: its name, or the codes as one would type them."""
    return comparison if isinstance(comparison, str) else ",".join(comparison)


def comparison_codes(districts: pd.DataFrame, comparison: Comparison) -> tuple[str, ...]:
    """Return the codes of a comparison group, sorted.

    Parameters
    ----------
    districts
        One row a district, as in `StudyData.districts`.
    comparison
        `alliance`: Alliance districts without LEAP. `others`: every district without LEAP. `drg_gh`: districts
        without LEAP in District Reference Groups G and H. Or a sequence of codes.

    Raises
    ------
    BadInput
        For an unknown name or code, a code given twice, a LEAP district in the list, and an empty group.
    """
    if not isinstance(comparison, str):
        return _listed(districts, tuple(comparison))
    without = ~districts["leap"].astype(bool)
    if comparison == "alliance":
        chosen = without & districts["alliance"].astype(bool)
    elif comparison == "others":
        chosen = without
    elif comparison == "drg_gh":
        chosen = without & districts["drg"].isin(PEER_GROUPS)
    else:
        raise bad_value("comparison group", comparison, options(ComparisonName), "Or give a list of district codes.")
    codes = tuple(sorted(districts.loc[chosen, "district_code"]))
    if not codes:
        raise BadInput(f"The comparison group {comparison!r} is empty. Choose another group or a list of codes.")
    return codes


def _listed(districts: pd.DataFrame, codes: tuple[str, ...]) -> tuple[str, ...]:
    if not codes:
        raise BadInput("The comparison group is empty: the list holds no code. Give at least two district codes.")
    known = set(districts["district_code"])
    for code in codes:
        if code not in known:
            raise bad_value(
                "district code",
                code,
                [*sorted(known)[:3], "..."],
                "Codes are text of seven characters, zeros included.",
            )
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    if repeated:
        raise BadInput(f"The comparison group names {', '.join(repeated)} more than once. Name each district once.")
    with_leap = sorted(set(codes) & set(districts.loc[districts["leap"].astype(bool), "district_code"]))
    if with_leap:
        raise BadInput(
            f"The comparison group holds {', '.join(with_leap)}, which had LEAP itself. "
            "Compare with districts that had no visits."
        )
    return tuple(sorted(codes))


def treated_codes(districts: pd.DataFrame, comparison: Comparison, treated: Sequence[str]) -> tuple[str, ...]:
    """Return the treated districts that the group can be compared with, in the order given.

    `drg_gh` restricts both sides; every other group keeps all treated districts.

    Raises
    ------
    BadInput
        For an unknown code, no district at all, and, under `drg_gh`, where none has a peer (with the reason).
    """
    rows = districts.set_index("district_code")
    for code in treated:
        if code not in rows.index:
            raise bad_value("district code", code, [*rows.index[:3], "..."], "Codes are text of seven characters.")
    if not treated:
        raise BadInput("No treated district was given. Name at least one district.")
    if comparison != "drg_gh":
        return tuple(treated)
    kept = tuple(code for code in treated if rows["drg"][code] in PEER_GROUPS)
    if not kept:
        raise BadInput(no_peer_reason(districts, treated[0]))
    return kept


def no_peer_reason(districts: pd.DataFrame, code: str) -> str:
    """Say why a district cannot be compared within District Reference Groups G and H."""
    row = districts.set_index("district_code").loc[code]
    instead = "Use the comparison 'alliance' or 'others', or a list of codes."
    if pd.isna(row["drg"]):
        return f"{row['district']} has no District Reference Group, so 'drg_gh' holds no peer for it. {instead}"
    same = districts[districts["drg"] == row["drg"]]
    if same["leap"].astype(bool).all():
        return (
            f"{row['district']} is in District Reference Group {row['drg']}, and all {len(same)} districts of that "
            f"group have LEAP, so no peer without LEAP exists. {instead}"
        )
    return (
        f"{row['district']} is in District Reference Group {row['drg']}, outside G and H, so 'drg_gh' holds no peer "
        f"for it. {instead}"
    )


def refuse_overlap(treated: Sequence[str], comparison: Sequence[str]) -> None:
    """Raise `BadInput` if a district is on both sides."""
    both = sorted(set(treated) & set(comparison))
    if both:
        raise BadInput(
            f"District {', '.join(both)} is both treated and in the comparison group. "
            "A district cannot be compared with itself: take it out of one side."
        )

"""The one gate of the student track: whatever pages, tables and files show of students has passed `published`.

Small groups are refused before they are averaged (`months_with_enough` and those below it, since a month that is hidden
only afterwards can be computed from the average) or counted (`evidence.privacy`). What is left is rounded here: counts
to five, effects and rates to a hundredth of a point. Differences between published figures then know a count only
within several students, and no equation of published figures has a student's own change as its only solution. What two
answers side by side would tell is held back by `student_check`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.did.staggered.att_gt import AttGt
from leapstudy.students.disclosure import MIN_GROUP
from leapstudy.students.moments.record import NEVER, Moments
from leapstudy.study.result import jsonable

# Names under which numbers of students stand; each is rounded to `COUNT_UNIT`.
COUNTS = ("n_treated", "n_comparison", "students", "referred")
# The number of deals that a draw can have: of no student, and zero where rounded.
EXACT = "p_floor"
COUNT_UNIT = 5
DIGITS = 2
# No p-value of students is published as less, since none is zero; `probability` says it as ``p < 0.001``.
LEAST_P = 0.0005


def nearest(count: float) -> int:
    """Return a count to the nearest five."""
    return COUNT_UNIT * round(count / COUNT_UNIT)


def published(content: Any, name: str = "") -> Any:
    """Return content as it may be published: plain dicts and lists, every number rounded by what it is.

    Parameters
    ----------
    content
        Records, frames and numbers about students, small groups already refused.
    name
        The key under which it stands.

    Examples
    --------
    >>> published({"n_treated": 132, "estimate_pp": 4.23456, "p_value": 0.00042, "p_floor": 0.0005})
    {'n_treated': 130, 'estimate_pp': 4.23, 'p_value': 0.0005, 'p_floor': 0.0005}
    """
    return _round(jsonable(content), name)


def _round(plain: Any, name: str) -> Any:
    if isinstance(plain, Mapping):
        return {key: _round(item, key) for key, item in plain.items()}
    if isinstance(plain, list):
        return [_round(item, name) for item in plain]
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return plain
    if name == EXACT:
        return plain
    if name in COUNTS:
        return nearest(plain)
    if name in ("p_value", "p_holm"):
        return max(round(plain, 3 if plain >= 0.001 else 4), LEAST_P)
    return round(plain, DIGITS) + 0.0 if isinstance(plain, float) else plain


def months_with_enough(strata: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """Say for each district and event time whether it may be shown, and whether it may stand in the sum of districts.

    Parameters
    ----------
    strata
        Rows of `leapstudy.did.at_risk.strata_of` of one part of the visited students, all districts.
    fewest
        Fewest comparison students in a stratum.

    Returns
    -------
    pandas.DataFrame
        Indexed by district_code and event: own, together (booleans). `own` needs `MIN_GROUP` visited and comparison
        students. Districts that may not be shown are left out of the sum as well where they have fewer than `MIN_GROUP`
        visited students together: all districts less those shown would give them away.
    """
    strata_at_risk = strata[strata["n_c"] >= fewest].assign(event=lambda rows: rows["t"] - rows["g"])
    by_cohort = strata_at_risk.groupby(["district_code", "event", "g"])[["n_t", "n_c"]].sum()
    place = ["district_code", "event"]
    # a comparison student stands in many risk sets, but only once in each
    counts = by_cohort.groupby(place).agg({"n_t": "sum", "n_c": "max"})
    own = (counts["n_t"] >= MIN_GROUP) & (counts["n_c"] >= MIN_GROUP)
    hidden = counts["n_t"].where(~own, 0)
    enough = hidden.groupby("event").transform("sum") >= MIN_GROUP
    return pd.DataFrame({"own": own, "together": own | enough})


def strata_to_show(strata: pd.DataFrame, months: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the strata of the months for which `column` of `months_with_enough` is true; refused strata stay."""
    place = pd.MultiIndex.from_arrays([strata["district_code"], strata["t"] - strata["g"]])
    return strata[months[column].reindex(place).fillna(True).to_numpy(bool)]


def without_few(att: AttGt) -> AttGt:
    """Return the estimates of the event times with enough visited, and, where there are any, comparison students."""
    since = _since(att)
    return att.only(np.isin(since, [event for event in np.unique(since) if _enough(att, since == event)]))


def _since(att: AttGt) -> np.ndarray:
    return (att.period - att.cohort).astype(int)


def _enough(att: AttGt, rows: np.ndarray) -> bool:
    n_comparison = att.n_comparison[rows].max()
    return bool(att.n_treated[rows].sum() >= MIN_GROUP and (n_comparison == 0 or n_comparison >= MIN_GROUP))


def without_residue(att: AttGt, parts: Sequence[AttGt]) -> AttGt:
    """Return the estimates of all districts without the event times that give a few students of one of them away.

    Parameters
    ----------
    att
        Of all districts together.
    parts
        Of each of them. At an event time those that may not be shown are what all have more than those shown; where
        they have fewer than `MIN_GROUP` visited students together, it is left out for all.
    """
    hidden: Counter[int] = Counter()
    for part in parts:
        since = _since(part)
        for event in np.unique(since):
            if not _enough(part, since == event):
                hidden[int(event)] += int(part.n_treated[since == event].sum())
    return att.only(~np.isin(_since(att), [event for event, few in hidden.items() if 0 < few < MIN_GROUP]))


def without_small_districts(moments: Moments) -> Moments:
    """Return the moments of all districts without those with too few visited students to be told apart together."""
    visited = moments.students * (moments.cohort < NEVER)
    sizes = {code: visited[moments.district == code].sum() for code in np.unique(moments.district)}
    small = [code for code, size in sizes.items() if 0 < size < MIN_GROUP]
    if not small or sum(sizes[code] for code in small) >= MIN_GROUP:
        return moments
    return moments.where(~np.isin(moments.district, small))

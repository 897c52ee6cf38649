"""Who comes and goes: students seen, new, and gone, by district, visited or not, and month; made from moments alone."""

import numpy as np
import pandas as pd

from leapstudy.students.moments.record import NEVER, Moments

COLUMNS = ("district_code", "visited", "month", "students", "seen", "entered", "left", "away")


def attrition_table(moments: Moments) -> pd.DataFrame:
    """Return how many students of each district are seen in each month, visited and never visited apart.

    The counts are exact and for programs. Before a page shows them, `leapstudy.evidence.privacy.protect` hides the
    small ones; `attrition_rates` gives it the table in its form.

    Parameters
    ----------
    moments
        Sums by cell; the patterns of seen months are all that is used.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`. `students` are all of the group over the whole panel; `entered` are seen in the month for
        the first time, `left` for the last time (none leaves in the last month), `away` are not seen now but before
        and after.
    """
    first = moments.seen.argmax(axis=1)[:, None]
    last = moments.seen.shape[1] - 1 - moments.seen[:, ::-1].argmax(axis=1)[:, None]
    place = np.arange(moments.seen.shape[1])
    flags = {
        "seen": moments.seen,
        "entered": place == first,
        "left": (place == last) & (place < place[-1]),
        "away": ~moments.seen & (place > first) & (place < last),
    }
    rows = [
        {"district_code": code, "visited": visited, "month": _text(int(period)), "students": int(moments.students[group].sum())}
        | {name: int(moments.students[group] @ flag[group, t]) for name, flag in flags.items()}
        for code in np.unique(moments.district)
        for visited in (False, True)
        if (group := (moments.district == code) & ((moments.cohort < NEVER) == visited)).any()
        for t, period in enumerate(moments.periods)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def attrition_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each group's students that is seen, as `leapstudy.evidence.privacy.protect` takes it.

    Columns: district_code, visited (``yes`` or ``no``), month, numerator (seen), denominator (students), percent.
    """
    return pd.DataFrame(
        {
            "district_code": table["district_code"],
            "visited": table["visited"].map({True: "yes", False: "no"}),
            "month": table["month"],
            "numerator": table["seen"],
            "denominator": table["students"],
            "percent": 100 * table["seen"] / table["students"],
        }
    )


def _text(period: int) -> str:
    return f"{period // 12}-{period % 12 + 1:02d}"

"""One choice changed at a time, and every choice at once: the rows of both figures, and what they show."""

import math
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.table import records
from leapstudy.data.names import comparison_short, contrast_words
from leapstudy.did.answer import Answer, DistrictAnswer, contrast_rows, estimator_rows
from leapstudy.words.sentences import Catalog, Finding

CATALOG = Catalog("ladder")
# The blocks of the ladder, in order; the first holds the main estimate alone.
MAIN, GROUPS, YEARS, FILES, MODELS, OUT, TESTS, BEFORE = BLOCKS = ("", *CATALOG.texts["blocks"].values())
ENDS = ("ci_low_pp", "ci_high_pp")
COLUMNS = ["block", "name", "estimate_pp", "low_pp", "high_pp", "p_value"]


@of_last
def ladder_rows(answer: Answer) -> pd.DataFrame:
    """Return the main estimate, and one row a choice that is changed, all others as they were.

    Returns
    -------
    DataFrame
        block, name, estimate_pp, low_pp, high_pp (empty where the interval has no end), p_value.
    """
    main, ends = answer.main, ("estimate_pp", "ci_low_pp", "ci_high_pp", "p_value")
    rows: list[tuple[object, ...]] = [(MAIN, CATALOG.say("main"), *(getattr(main, name) for name in ends))]
    contrasts = records(contrast_rows(answer))
    for row in contrasts:
        name = f"{comparison_short(row['comparison'])} ({row['n_comparison']})"
        if row["comparison"] != main.comparison and (row["pre"], row["post"]) == (main.pre, main.post):
            rows.append((GROUPS, name, *(row[end] for end in ends)))
    for row in contrasts:
        if row["comparison"] == main.comparison and (row["pre"], row["post"]) != (main.pre, main.post):
            words = contrast_words(row["pre"], row["post"]).removeprefix("placebo: ")
            rows.append((BEFORE if row["role"] == "placebo" else YEARS, words, *(row[end] for end in ends)))
    for row in records(answer.editions):
        if row["edition"] != main.edition:
            rows.append((FILES, CATALOG.say("edition", edition=row["edition"]), *(row[end] for end in ends)))
    for row in records(estimator_rows(answer)):
        if not row["is_main"]:
            rows.append((MODELS, row["label"], *(row[end] for end in ends)))
    rows += [(OUT, *row) for row in _extremes(answer)]
    if isinstance(answer, DistrictAnswer):
        rows += [(TESTS, row["method"], *(row[end] for end in ends)) for row in records(answer.methods)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame[COLUMNS[2:]] = frame[COLUMNS[2:]].astype(float).replace([math.inf, -math.inf], math.nan)
    order = {block: place for place, block in enumerate(BLOCKS)}
    return frame.sort_values("block", key=lambda blocks: blocks.map(order), kind="stable", ignore_index=True)


def _extremes(answer: Answer) -> list[tuple[object, ...]]:
    """The two districts whose absence moves the estimate most, down and up; the rest lies between."""
    out = answer.leave_one_out
    if out.empty:
        return []
    places = dict.fromkeys([out["estimate_pp"].idxmin(), out["estimate_pp"].idxmax()])
    return [
        (CATALOG.say("without", name=row["district"]), row["estimate_pp"], *(row[end] for end in ENDS), math.nan)
        for row in records(out.loc[list(places)])
    ]


def excludes_zero(rows: pd.DataFrame) -> pd.Series:
    """Return which rows have an interval on one side of zero; one without an end never has."""
    return (rows["low_pp"] > 0) | (rows["high_pp"] < 0)


@of_last
def ladder(answer: Answer) -> Finding:
    """Say whether changing one choice at a time changes what the interval says of zero."""
    rows, main = ladder_rows(answer), answer.main
    others = rows[~rows["block"].isin([MAIN, TESTS, BEFORE])]
    clear, n_changed = bool(excludes_zero(rows).iloc[0]), int(excludes_zero(others).sum())
    flips = len(others) - n_changed if clear else n_changed
    slots = {"what": "include" if clear else "exclude", "flips": flips, "n": len(others)}
    if others.empty:
        return CATALOG.finding("only", main.estimate_pp)
    out = rows[rows["block"] == OUT]
    most = [] if out.empty else records(out.loc[[(out["estimate_pp"] - main.estimate_pp).abs().idxmax()]])
    return CATALOG.finding(
        "ladder",
        main.estimate_pp,
        (others["estimate_pp"].min(), others["estimate_pp"].max()),
        moved=CATALOG.say("moved" if flips else "never", **slots),
        most="".join(CATALOG.say("most", most=row) for row in most),
        main=main,
        n=len(others),
        before=_before(rows),
    )


def _before(rows: pd.DataFrame) -> str:
    lines = [
        CATALOG.say("before_one", row=row, ends=(row["low_pp"], row["high_pp"]))
        for row in records(rows[rows["block"] == BEFORE])
    ]
    return CATALOG.say("before", told="; ".join(lines)) if lines else ""


def specifications(curve: pd.DataFrame, outcome: str) -> Finding:
    """Say where the specifications that exclude zero come from.

    Parameters
    ----------
    curve
        One row a specification: comparison, estimate_pp, low_pp, high_pp (may be empty), fair_before.
    outcome
        What they are effects on.
    """
    clear = curve[excludes_zero(curve)]
    fair = int(clear["fair_before"].astype(bool).sum())
    groups, estimates = clear["comparison"].unique(), curve["estimate_pp"]
    counts: dict[str, Any] = {"n": len(curve), "clear": len(clear), "fair": fair}
    counts["where"] = CATALOG.say("specifications_where", name=comparison_short(groups[0])) if len(groups) == 1 else ""
    if clear.empty or fair:
        title = CATALOG.say("specifications_none" if clear.empty else "specifications_pass", **counts)
    else:
        title = CATALOG.say("specifications_one" if len(clear) == 1 else "specifications_fail", **counts)
    return CATALOG.finding(
        "specifications",
        float(estimates.median()),
        title=title,
        above=int((estimates > 0).sum()),
        below=int((estimates < 0).sum()),
        median=float(np.median(estimates)),
        outcome=outcome,
        spread=(estimates.min(), estimates.max()),
    )

"""One choice changed at a time, and every choice at once: the rows of both figures, and what they show."""

import math

import numpy as np
import pandas as pd

from leapstudy.core.kept import of_last
from leapstudy.core.phrases import agree, between, counted, number, points
from leapstudy.core.table import records
from leapstudy.data.names import comparison_short, contrast_words, outcome_unit, short
from leapstudy.did.answer import Answer, DistrictAnswer, contrast_rows, estimator_rows
from leapstudy.words.sentences import Finding

MAIN, GROUPS, YEARS, FILES, MODELS, OUT, TESTS, BEFORE = (
    "",
    "Compared with",
    "Between which years",
    "Which edition",
    "Which model",
    "Leaving one out",
    "Which test",
    "Before: expected to be zero",
)
"""The blocks of the ladder, in order; the first holds the main estimate alone."""
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
    rows: list[tuple[object, ...]] = [(MAIN, "Main estimate", *(getattr(main, name) for name in ends))]
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
            rows.append((FILES, f"{row['edition']} edition", *(row[end] for end in ends)))
    for row in records(estimator_rows(answer)):
        if not row["is_main"]:
            rows.append((MODELS, row["label"], *(row[end] for end in ends)))
    rows += [(OUT, *row) for row in _extremes(answer)]
    if isinstance(answer, DistrictAnswer):
        rows += [(TESTS, row["method"], *(row[end] for end in ends)) for row in records(answer.methods)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame[COLUMNS[2:]] = frame[COLUMNS[2:]].astype(float).replace([math.inf, -math.inf], math.nan)
    order = {block: place for place, block in enumerate((MAIN, GROUPS, YEARS, FILES, MODELS, OUT, TESTS, BEFORE))}
    return frame.sort_values("block", key=lambda blocks: blocks.map(order), kind="stable", ignore_index=True)


def _extremes(answer: Answer) -> list[tuple[object, ...]]:
    """The two districts whose absence moves the estimate most, down and up; the rest lies between."""
    out = answer.leave_one_out
    if out.empty:
        return []
    places = dict.fromkeys([out["estimate_pp"].idxmin(), out["estimate_pp"].idxmax()])
    return [
        (f"without {short(row['district'])}", row["estimate_pp"], row["ci_low_pp"], row["ci_high_pp"], math.nan)
        for row in records(out.loc[list(places)])
    ]


def excludes_zero(rows: pd.DataFrame) -> pd.Series:
    """Return which rows have an interval on one side of zero; one without an end never has."""
    return (rows["low_pp"] > 0) | (rows["high_pp"] < 0)


def ladder(answer: Answer, rows: pd.DataFrame | None = None) -> Finding:
    """Say whether changing one choice at a time changes what the interval says of zero.

    `rows` are the answer's own, of `ladder_rows`, where they are there already.
    """
    rows, main = ladder_rows(answer) if rows is None else rows, answer.main
    others = rows[~rows["block"].isin([MAIN, TESTS, BEFORE])]
    clear, changed = bool(excludes_zero(rows).iloc[0]), int(excludes_zero(others).sum())
    flips = len(others) - changed if clear else changed
    what = "makes the interval include zero" if clear else "makes the interval exclude zero"
    title = (
        f"Changing one choice at a time "
        f"{'never ' + what if flips == 0 else f'{what} in {flips} of {len(others)} cases'}"
    )
    out = rows[rows["block"] == OUT]
    if not out.empty:
        most = records(out.loc[[(out["estimate_pp"] - main.estimate_pp).abs().idxmax()]])[0]
        title += f"; {most['name']} the estimate is {number(most['estimate_pp'])}"
    if others.empty:
        return Finding("No choice can be changed here: this is the only way to ask", "", main.estimate_pp)
    low, high = others["estimate_pp"].min(), others["estimate_pp"].max()
    given = f"{between(low, high)} {outcome_unit(main.outcome)}"
    detail = f"{counted(len(others), 'other choice')} give {given}. {_before(rows)}".strip()
    return Finding(title, detail, main.estimate_pp, low, high)


def _before(rows: pd.DataFrame) -> str:
    told = [
        f"{number(row['estimate_pp'])} ({between(row['low_pp'], row['high_pp'])})"
        for row in records(rows[rows["block"] == BEFORE])
    ]
    return f"Before the program, where zero is expected, the same comparison gives {'; '.join(told)}." if told else ""


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
    groups = clear["comparison"].unique()
    if clear.empty:
        title = f"Not one of {len(curve)} specifications gives an interval that excludes zero"
    elif fair == 0:
        where = f", use one comparison ({comparison_short(groups[0])}) and" if len(groups) == 1 else ""
        title = f"All {len(clear)} of {len(curve)} specifications that exclude zero{where} fail their own placebo"
        if len(clear) == 1:
            title = f"The one of {len(curve)} specifications that excludes zero fails its own placebo"
    else:
        exclude, own = agree(len(clear), "excludes", "exclude"), agree(fair, "passes its", "pass their")
        title = f"{len(clear)} of {len(curve)} specifications {exclude} zero; {fair} of those {own} own placebo"
    shown = curve["estimate_pp"]
    above = int((shown > 0).sum())
    detail = (
        f"{above} {agree(above, 'lies', 'lie')} above zero, {int((shown < 0).sum())} below; "
        f"the median is {points(float(np.median(shown)))} "
        f"{outcome_unit(outcome)}, the range {between(shown.min(), shown.max())}."
    )
    return Finding(title, detail, float(shown.median()))

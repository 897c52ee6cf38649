"""One row of `estimates.csv` as all districts together have it, and the file read back, so that nothing is lost."""

import pandas as pd

from leapstudy.core.estimate import COLUMNS, FORMULA, INTEGERS, TEXTS, Estimate

# An estimate given by hand; a test says what is its own with `dataclasses.replace`.
POOLED = Estimate(
    track="public",
    district_code="ALL",
    district="All LEAP districts",
    outcome="attendance_rate",
    comparison="alliance",
    n_treated=15,
    n_comparison=19,
    edition="2022-23",
    pre="2019-20+2020-21",
    post="2021-22",
    estimator="did",
    role="main",
    estimate_pp=-0.34,
    p_method="label_permutation",
)


def read_estimates(path):
    """Read the file with codes as text and without the apostrophe that guards a spreadsheet."""
    text = pd.read_csv(path, dtype="str", keep_default_na=False)
    numbers = {name: pd.to_numeric(text[name]) for name in COLUMNS if name not in TEXTS}
    texts = {name: text[name].map(_without_mark) for name in COLUMNS if name in TEXTS}
    return text.assign(**numbers, **texts)[list(COLUMNS)].astype(dict.fromkeys(INTEGERS, "Int64"))


def _without_mark(cell):
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def from_frame(frame):
    """Return the rows as records."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [Estimate(**row) for row in rows]

"""`estimates.csv` read back, so that tests can say that nothing is lost on the way through the disk."""

import pandas as pd

from leapstudy.core.estimate import COLUMNS, FORMULA, INTEGERS, TEXTS, Estimate


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

"""From the results of the runs to one table."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from leapstudy.core.estimate import Estimate, to_frame, write_estimates
from leapstudy.site.entries import track_of
from leapstudy.study.result import load_result


def gather(out: Path, slugs: Iterable[str]) -> pd.DataFrame:
    """Write `estimates.csv` from the results of the districts among `slugs`, and return it; articles have none."""
    rows: list[Estimate] = []
    for slug in slugs:
        path = out / slug / "result.json"
        if track_of(slug) and path.is_file():
            rows += [Estimate(**row) for row in load_result(path)["estimates"]]
    frame = to_frame(rows)
    write_estimates(frame, out / "estimates.csv")
    return frame

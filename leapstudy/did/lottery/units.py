"""What a lottery of units shows beyond the contrast: the efficient estimate for random starts, over all years."""

import numpy as np

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import Estimate
from leapstudy.data import StudyData
from leapstudy.did.design import Sample, build_panel
from leapstudy.did.effect import finite, row_of
from leapstudy.did.lottery.rollout import Rollout, rollout
from leapstudy.did.nested import method_of

ESTIMATOR = "lottery_efficient"


def efficient(data: StudyData, sample: Sample) -> Rollout | None:
    """Return the efficient estimate of a sample whose units drew lots; None for every other sample.

    Every year that the study uses is taken, of the units of the sample that have a figure in all of them. Where the
    contrast ends in the first year, so does this effect; otherwise it is the mean over all years with the program.

    Raises
    ------
    BadInput
        As `rollout.rollout`: where nothing can be compared, or a stratum by start has one unit.
    """
    nested, spec = sample.nested, sample.spec
    if nested is None or not nested.drawn or spec.scale != "points":
        return None
    panel = build_panel(data, spec.outcome, spec.edition)
    used = [place for place, year in enumerate(panel.years) if year not in data.state.calendar.gap]
    years, rows = [panel.years[place] for place in used], {code: row for row, code in enumerate(panel.codes)}
    codes = (*sample.treated, *sample.comparison)
    y = panel.rates[[rows[code] for code in codes]][:, used]
    full = ~np.isnan(y).any(axis=1)
    starts = [panel.starts.get(code) for code in codes]
    first = np.array([len(years) if year is None else years.index(year) for year in starts])
    event_time = 0 if data.state.contrasts[spec.contrast].post == (0,) else None
    return rollout(y[full], first[full], np.array(nested.strata)[full], event_time=event_time, seed=spec.seed)


def tried(data: StudyData, sample: Sample) -> tuple[Rollout | None, tuple[str, ...]]:
    """Return `efficient`, or why it cannot be made."""
    try:
        return efficient(data, sample), ()
    except BadInput as reason:
        return None, (f"The efficient estimate of the lottery is not made: {reason}",)


def estimate_row(found: Rollout, sample: Sample, code: str, name: str) -> Estimate:
    """Return the efficient estimate as a row of `estimates.csv`; its interval inverts the test over redraws."""
    return row_of(
        sample,
        code,
        name,
        ESTIMATOR,
        (found.estimate, found.se, finite(found.redraw_low), finite(found.redraw_high)),
        p_value=found.p_value,
        p_method=method_of(sample),
        p_floor=found.p_floor,
        seed=sample.spec.seed,
        n_treated=found.n_offered,
        n_comparison=found.n_units - found.n_offered,
    )

"""One question, quickly: only what a look at it needs, by the functions that the whole answer is made with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.data import StudyData
from leapstudy.data.describe import TREATED, group_labels
from leapstudy.did.answering import all_name
from leapstudy.did.comparison import comparison_label
from leapstudy.did.contrasts import clock_of
from leapstudy.did.design import Panel, Sample, Spec, build_panel, sample_from_panel
from leapstudy.did.effect import fit, placements, points_per_unit, row
from leapstudy.did.eventstudy import EventStudy, event_study
from leapstudy.did.inference.compare import leading_test
from leapstudy.did.spread import Detectable, detectable, spread_of


@dataclass(frozen=True, slots=True)
class Glance:
    """The asked contrast alone; fields as in `DistrictAnswer`, all in percentage points.

    Attributes
    ----------
    raw_means : DataFrame
        group ('district' or 'leap', and the comparison group or 'custom'), label, year, rate_pct, n_districts: the
        two sides that are compared, with the weights of the spec, over the districts that have every year.
    """

    spec: Spec
    main: Estimate
    detectable: Detectable
    raw_means: pd.DataFrame
    permutation: pd.DataFrame
    event_study: EventStudy


def glance(data: StudyData, treated: Sequence[str], spec: Spec) -> Glance:
    """Answer one question for one treated district, or for several together.

    Parameters
    ----------
    data
        The study's tables.
    treated
        Codes of the treated districts.
    spec
        What is asked.

    Raises
    ------
    BadInput
        If the contrast cannot be formed.
    """
    names = dict(zip(data.districts["district_code"], data.districts["district"], strict=True))
    panel = build_panel(data, spec.outcome, spec.edition)
    effect = fit(sample_from_panel(panel, data, spec, treated))
    # what could be detected is the leading test's affair, as in the whole answer
    found = (
        detectable(spread_of(effect.sample), leading_test(effect.sample)[1], points_per_unit(effect.sample))
        if len(treated) == 1
        else effect.detectable
    )
    code, name = (treated[0], names[treated[0]]) if len(treated) == 1 else (ALL_DISTRICTS, all_name(data))
    role = effect.sample.contrast.role
    every_year = _every_year(panel, data, spec, treated)
    reference = clock_of(data.state, data.starts, every_year.treated).label(-1)
    return Glance(
        spec,
        row(effect, code, name, "placebo" if role == "placebo" else "main"),
        found,
        two_sides(every_year, name if len(treated) == 1 else group_labels(data.state)[TREATED]),
        placements(effect, names),
        event_study(every_year, reference),
    )


def _every_year(panel: Panel, data: StudyData, spec: Spec, treated: Sequence[str]) -> Sample:
    return sample_from_panel(panel, data, replace(spec, scale="points"), treated, panel.years)


def two_sides(sample: Sample, name: str) -> pd.DataFrame:
    """Return the mean of either side by year, percent, with the sample's weights; `name` is the treated side's."""
    group = comparison_label(sample.spec.comparison)
    sides = (
        (
            "district" if len(sample.treated) == 1 else TREATED,
            name,
            sample.weights_treated @ sample.y_treated,
            len(sample.treated),
        ),
        (
            group if isinstance(sample.spec.comparison, str) else "custom",
            group,
            sample.weights_comparison @ sample.y_comparison,
            len(sample.comparison),
        ),
    )
    parts = [
        pd.DataFrame({"group": key, "label": label, "year": sample.years, "rate_pct": rates, "n_districts": n})
        for key, label, rates, n in sides
    ]
    return pd.concat(parts, ignore_index=True)

"""One question, quickly: only what a look at it needs, by the functions that the whole answer is made with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.data import StudyData
from leapstudy.data.describe import TREATED, group_labels
from leapstudy.did.answering import all_name, every_year, unit_names
from leapstudy.did.comparison import comparison_label
from leapstudy.did.design import Sample, Spec, build_sample
from leapstudy.did.effect import fit, placements, row
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.inference.compare import detectable_of
from leapstudy.did.spread import Detectable


@dataclass(frozen=True, slots=True)
class OneContrast:
    """The asked contrast alone; fields as in `DistrictAnswer`, all in percentage points.

    Attributes
    ----------
    raw_means : DataFrame
        group ('district' or 'treated', and the comparison group or 'custom'), label, year, rate_pct, n_districts: the
        two sides that are compared, with the weights of the spec, over the districts that have every year.
    """

    spec: Spec
    main: Estimate
    detectable: Detectable
    raw_means: pd.DataFrame
    permutation: pd.DataFrame
    event_study: EventStudy


def one_contrast(data: StudyData, treated: Sequence[str], spec: Spec) -> OneContrast:
    """Answer one question for one treated district, or for several together.

    Raises
    ------
    BadInput
        If the contrast cannot be formed.
    """
    names = unit_names(data)
    effect = fit(build_sample(data, spec, treated))
    one = len(treated) == 1
    code, name = (treated[0], names[treated[0]]) if one else (ALL_DISTRICTS, all_name(data))
    sample, study = every_year(data, replace(spec, scale="points"), treated)
    return OneContrast(
        spec,
        row(effect, code, name, "placebo" if effect.sample.contrast.role == "placebo" else "main"),
        detectable_of(effect),
        two_sides(sample, name if one else group_labels(data.state)[TREATED]),
        placements(effect, names),
        study,
    )


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

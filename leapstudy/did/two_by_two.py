"""The 2x2 difference-in-differences, twice: as a difference of means and as a regression with fixed effects."""

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from scipy import stats

from leapstudy.core.errors import BadInput
from leapstudy.did.design import Sample


def difference_in_means(sample: Sample) -> float:
    """Return the weighted mean change of the treated less that of the comparison districts, on the sample's scale."""
    return float(sample.weights_treated @ sample.change_treated - sample.weights_comparison @ sample.change_comparison)


def stacked(sample: Sample) -> pd.DataFrame:
    """Return one row a district and period (before, after): district, after, treated_after, y, size."""
    codes = np.array([*sample.treated, *sample.comparison])
    treated = np.repeat([1.0, 0.0], [len(sample.treated), len(sample.comparison)])
    y = np.vstack([sample.y_treated, sample.y_comparison])
    size = np.concatenate([sample.sizes_treated, sample.sizes_comparison])
    before = y[:, sample.columns(sample.contrast.pre)].mean(axis=1)
    after = y[:, sample.columns(sample.contrast.post)].mean(axis=1)
    periods = [
        pd.DataFrame({"district": codes, "after": late, "treated_after": late * treated, "y": values, "size": size})
        for late, values in ((0.0, before), (1.0, after))
    ]
    return pd.concat(periods, ignore_index=True)


def regression(sample: Sample) -> float:
    """Return the same effect from a regression with district and period effects (weighted least squares).

    With two periods and weights that do not change over them, its coefficient on treated x after is the difference of
    mean changes (Angrist and Pischke 2009, section 5.2); the tests hold the two equal to 1e-10.
    """
    rows = stacked(sample)
    fit = smf.wls("y ~ treated_after + after + C(district)", rows, weights=rows["size"]).fit()
    return float(fit.params["treated_after"])


def cluster_robust(sample: Sample) -> tuple[float, float]:
    """Return standard error and p-value of the regression with errors clustered by district.

    Notes
    -----
    ``G / (G - 1) (n - 1) / (n - k)`` with k the coefficients that are not nested in the G clusters, and t with G - 1
    degrees of freedom (Cameron and Miller 2015, sections II.B and IV; R `fixest`'s default): district effects are
    nested.

    Raises
    ------
    BadInput
        With one treated district: the cluster-robust variance then holds no information on the treated side, and
        rejects a true null most of the time (MacKinnon and Webb 2017).
    """
    if len(sample.treated) == 1:
        raise BadInput(
            "A cluster-robust p-value with one treated unit is refused: it rejects a true null in more than 8 of "
            "10 cases. Use the permutation over comparison units instead."
        )
    rows = stacked(sample)
    model = smf.wls("y ~ treated_after + after + C(district)", rows, weights=rows["size"])
    groups = rows["district"].astype("category").cat.codes
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    g, n, k = len(rows) // 2, len(rows), 2
    se = float(fit.bse["treated_after"]) * float(np.sqrt(g / (g - 1) * (n - 1) / (n - k)))
    return se, float(2 * stats.t.sf(abs(fit.params["treated_after"]) / se, g - 1))

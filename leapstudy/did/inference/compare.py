"""Every test of one treated district side by side, those of synthetic weights through `diff-diff`, and the one that
leads.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, attempt
from leapstudy.core.estimate import Estimate
from leapstudy.core.quiet import quiet
from leapstudy.did.design import Sample
from leapstudy.did.effect import Effect, finite, own_estimator, points_per_unit, row_of, to_points
from leapstudy.did.inference.record import (
    Inference,
    Method,
    MethodName,
    answer_of,
    enrollment_noise,
    noise_before,
    size_noise,
)
from leapstudy.did.permutation import TIE, Permutation, conley_taber, exact
from leapstudy.did.sample import each_alone
from leapstudy.did.spread import Detectable, detectable, mde_factor, spread_of, t_critical

# Which test leads where it can be made, in order; see `headline`.
LEADING: tuple[MethodName, ...] = ("studentized_noise", "studentized_enrollment", "permutation")

# Columns of `each_by_itself`.
ALONE = ["district_code", "estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp", "p_t", "p_value", "p_floor", "mde_pp"]

# Why there is no cluster-robust p-value (MacKinnon and Webb 2017).
NO_CLUSTERS = (
    "A cluster-robust p-value with one treated unit is refused: it rejects a true null in more than 8 of "
    "10 cases. Use the permutation over comparison units instead."
)

# Methods that are estimators of their own, as `estimates.csv` names them.
SYNTHETIC: dict[str, str] = {"sdid_placebo": "sdid", "synthetic_control": "synthetic_control"}


def infer(sample: Sample, synthetic: bool = False) -> Inference:
    """Put every test of one treated district side by side.

    Parameters
    ----------
    sample
        One treated district, any contrast and scale.
    synthetic
        Fit the synthetic difference too (about 0.2 s with 19 comparison districts; the rest takes milliseconds).

    Raises
    ------
    BadInput
        If the sample has more than one treated district. A method that cannot be made does not raise: it stands in the
        record as refused, with its reason.

    Notes
    -----
    Estimates of all methods but the synthetic one are the same difference of mean changes. Sources: permutation and
    studentized permutation MacKinnon and Webb (2020), `permutation.exact`; Conley and Taber (2011); Ferman and Pinto
    (2019); t with C - 1 degrees of freedom Donald and Lang (2007) and Lee and Wooldridge (2023).
    """
    if len(sample.treated) != 1:
        raise BadInput(
            f"These tests are for one treated unit; the sample has {len(sample.treated)}. "
            "Use leapstudy.did.pool for all of them together."
        )
    methods = [
        _attempt("permutation", _permutation, sample),
        _attempt("studentized_noise", _studentized_noise, sample),
        _attempt("studentized_enrollment", _studentized_enrollment, sample),
        _conley_taber(sample),
        _attempt("ferman_pinto", _ferman_pinto, sample),
        _attempt("small_sample_t", _small_sample_t, sample),
    ]
    if synthetic:
        methods.append(_attempt("sdid_placebo", synthetic_did, sample))
    methods.append(Method("cluster_robust", refusal=NO_CLUSTERS))
    return Inference(sample.treated[0], len(sample.comparison), len(sample.contrast.pre), tuple(methods))


def leading_test(sample: Sample) -> tuple[MethodName, Permutation]:
    """Return the preferred test for one treated district, without the others; see `headline`."""
    for name, noise in (("studentized_noise", noise_before), ("studentized_enrollment", size_noise)):
        try:
            return cast(MethodName, name), _permuted(sample, noise(sample))
        except BadInput:
            continue
    return "permutation", _permuted(sample)


def each_by_itself(sample: Sample) -> pd.DataFrame:
    """Return each treated district's own effect, in the sample's order.

    Columns district_code, estimate_pp, se_pp, ci_low_pp and ci_high_pp (t interval, as the pooled model takes it;
    Donald and Lang 2007), p_t (of that interval), p_value and p_floor (of the preferred test), mde_pp.
    """
    rows = []
    for one in each_alone(sample):
        spread, (_, test), per_unit = spread_of(one), leading_test(one), points_per_unit(one)
        ends = (to_points(end, one) for end in (test.estimate, *spread.interval(test.estimate)))
        effect, low, high = ends
        mde, p_t = per_unit * mde_factor(spread.df) * spread.se, spread.p_value(test.estimate)
        rows.append((one.treated[0], effect, per_unit * spread.se, low, high, p_t, test.p_value, test.floor, mde))
    return pd.DataFrame(rows, columns=ALONE)


def detectable_of(effect: Effect) -> Detectable:
    """Return what the preferred test could have detected: of one treated district `leading_test`, else its own."""
    test = leading_test(effect.sample)[1] if len(effect.sample.treated) == 1 else effect.test
    return detectable(effect.spread, test, points_per_unit(effect.sample))


def headline(inference: Inference) -> tuple[Method, str]:
    """Return the preferred test, and why in one sentence.

    Notes
    -----
    The rule rests on the simulation in benchmarks/results/size_power.csv, on panels shaped like published ones:
    only the permutation studentized by the district's own noise before the program rejects a true null in about 5 of
    100 cases whether the treated district varies more than the others, as much, or less. It takes two years before.
    With one, the permutation studentized by enrollment leads, which is right where noise comes from size; where nothing
    can be divided by, the permutation of the estimate itself.
    """
    name = next(name for name in LEADING if not inference.method(name).refusal)
    return inference.method(name), _why(name, inference.n_pre)


def _why(name: MethodName, n_pre: int) -> str:
    if name == "studentized_noise":
        power = " With two years before it finds few true effects, so the others stand beside it." if n_pre == 2 else ""
        return (
            "It keeps its size in simulations whether the unit varies more than the others, as much, or less." + power
        )
    if name == "studentized_enrollment":
        return "The unit's own noise cannot be measured; this one keeps its size where noise comes from enrollment."
    return "No noise can be measured; this one keeps its size only if the unit varies as much as the others."


def methods_table(inference: Inference) -> pd.DataFrame:
    """Return the methods that gave an answer, one row each.

    Columns method (words), estimate_pp, ci_low_pp, ci_high_pp, p_value, p_floor, is_headline; an end that is infinite
    or a floor that does not exist is NaN.
    """
    leading = headline(inference)[0].name
    rows = [
        {
            "method": method.label,
            "estimate_pp": method.estimate_pp,
            "ci_low_pp": finite(method.low_pp),
            "ci_high_pp": finite(method.high_pp),
            "p_value": method.p_value,
            "p_floor": method.p_floor,
            "is_headline": method.name == leading,
        }
        for method in inference.methods
        if not method.refusal
    ]
    numbers = ["estimate_pp", "ci_low_pp", "ci_high_pp", "p_value", "p_floor"]
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))


def estimate_rows(inference: Inference, sample: Sample, district: str) -> list[Estimate]:
    """Return the methods that gave an answer as rows of `estimates.csv`, told apart by `p_method` (and `estimator`).

    The permutation of the estimate is left out: it is the row that `effect.row` makes.
    """
    return [
        row_of(
            sample,
            inference.code,
            district,
            SYNTHETIC.get(method.name) or own_estimator(sample),
            (method.estimate_pp, method.se_pp, method.low_pp, method.high_pp),
            "sensitivity",
            p_value=method.p_value,
            p_method=method.name,
            p_floor=method.p_floor,
        )
        for method in inference.methods
        if method.estimate_pp is not None and method.name != "permutation"
    ]


def lead(rows: Sequence[Estimate], main: Estimate, leading: Method) -> tuple[Estimate, ...]:
    """Return the rows of `estimates.csv`, the one of the preferred test first and as the main one.

    Whoever takes the main row then has the p-value and the interval of the page. The permutation of the estimate, by
    which contrasts and outcomes are compared, becomes a sensitivity row. A placebo stays what it is.
    """
    own = next((row for row in rows if row.p_method == leading.name and row.pre == main.pre), None)
    if main.role != "main" or own is None or own == main:
        return tuple(rows)
    others = (replace(row, role="sensitivity") if row == main else row for row in rows if row is not own)
    return (replace(own, role="main", se_pp=main.se_pp), *others)


def _attempt(name: MethodName, make: Callable[[Sample], Method], sample: Sample) -> Method:
    method, refusal = attempt(make, sample)
    return method or Method(name, refusal=refusal)


def _permuted(sample: Sample, noise: np.ndarray | None = None) -> Permutation:
    sizes, changes = sample.sizes_comparison, sample.change_comparison
    return exact(float(sample.change_treated[0]), changes, float(sample.sizes_treated[0]), sizes, noise)


def _of_test(name: MethodName, sample: Sample, test: Permutation, note: str) -> Method:
    return answer_of(name, sample, (test.estimate, test.low, test.high), test.p_value, test.floor, note)


def _permutation(sample: Sample) -> Method:
    return _of_test("permutation", sample, _permuted(sample), "Right if the unit varies as much as the others.")


def _studentized_noise(sample: Sample) -> Method:
    noise = noise_before(sample)
    times = noise[0] / float(np.sqrt(np.mean(noise[1:] ** 2)))
    note = (
        f"Over {len(sample.contrast.pre)} years before, the unit varied {times:.2f} times as much as the "
        "comparison units on average (root mean square)."
    )
    method = _of_test("studentized_noise", sample, _permuted(sample, noise), note)
    if method.low_pp is not None and np.isinf(method.low_pp):
        return replace(method, note=f"{note} A comparison unit hardly varied, so that the interval has no end.")
    return method


def _studentized_enrollment(sample: Sample) -> Method:
    noise, fitted = enrollment_noise(sample)
    size = f"variance of a change {_three(fitted.common)} + {_three(fitted.by_student)} / students"
    note = f"Fitted among the comparison units: {size}."
    if fitted.by_student == 0:
        note += " It does not fall with enrollment, so that this is the permutation of the estimate."
    return _of_test("studentized_enrollment", sample, _permuted(sample, noise), note)


def _residuals(sample: Sample) -> tuple[float, np.ndarray]:
    changes = sample.change_comparison
    mean = float(sample.weights_comparison @ changes)
    return float(sample.change_treated[0]) - mean, changes - mean


def _conley_taber(sample: Sample) -> Method:
    test = conley_taber(*_residuals(sample))
    note = "Takes the comparison mean as known and all units as alike."
    return _of_test("conley_taber", sample, test, note)


def _ferman_pinto(sample: Sample) -> Method:
    noise, _ = enrollment_noise(sample)
    test = conley_taber(*_residuals(sample), noise[0] / noise[1:])
    note = "Conley and Taber's, with the comparison units' residuals rescaled to this unit's enrollment."
    return _of_test("ferman_pinto", sample, test, note)


def _small_sample_t(sample: Sample) -> Method:
    effect, spread = _residuals(sample)[0], spread_of(sample)
    note = f"t with {spread.df:.0f} degrees of freedom: normal errors of one variance in all units."
    ends = effect, *spread.interval(effect)
    return answer_of("small_sample_t", sample, ends, spread.p_value(effect), None, note, spread.se)


def synthetic_only(sample: Sample) -> Inference:
    """Return the synthetic difference and the synthetic control alone, each refused where it cannot be made.

    Raises
    ------
    BadInput
        If the sample has more than one treated district.
    """
    if len(sample.treated) != 1:
        raise BadInput(f"Synthetic weights are for one treated unit; the sample has {len(sample.treated)}.")
    methods = (
        _attempt("sdid_placebo", synthetic_did, sample),
        _attempt("synthetic_control", synthetic_control, sample),
    )
    return Inference(sample.treated[0], len(sample.comparison), len(sample.contrast.pre), methods)


def _three(value: float) -> str:
    """Return a variance with three digits that count, and no power of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


LEAST_YEARS = 2
MOST_DONORS = 40


def synthetic_did(sample: Sample) -> Method:
    """Fit the synthetic difference with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        With more than one treated district, weights by students, fewer than two years before, or more than 40
        possible donors, where placebos take seconds a district.

    Notes
    -----
    `diff-diff` chooses the weights and the regularization as the authors' R package does. Its placebos re-fit the
    method with a comparison district in the treated one's place (Arkhangelsky et al. 2021, algorithm 4), drawn at
    random there; here each district takes the place once, so that nothing is drawn. The error is the standard deviation
    of all C placebos, the interval the estimate plus and minus t with C - 1 degrees of freedom times it.
    """
    fitted = fit_rows(_rows_of(sample), sample.contrast.post)
    se = float(np.std(fitted.variance_effects, ddof=1))
    reach = t_critical(len(sample.comparison) - 1) * se
    year, year_weight = max(fitted.time_weights.items(), key=itemgetter(1))
    note = (
        f"Weights from {len(sample.contrast.pre)} years before: the largest of one unit is "
        f"{max(fitted.unit_weights.values()):.0%} (equal ones: {1 / len(sample.comparison):.0%}), and {year} "
        f"counts for {year_weight:.0%} of the years before."
    )
    att = float(fitted.att)
    return answer_of("sdid_placebo", sample, (att, att - reach, att + reach), *placebo_p(fitted), note, se)


def synthetic_control(sample: Sample) -> Method:
    """Fit the synthetic control with a placebo in the place of every comparison district.

    Raises
    ------
    BadInput
        As `synthetic_did`; and where the weighted districts miss the years before by more than the district's own mean
        does, since nothing was matched then.

    Notes
    -----
    Abadie, Diamond and Hainmueller (2010): weights that are not negative and sum to one, so that a district beyond all
    others cannot be matched. Every year before counts alike, scaled by its variance over districts (Abadie 2021,
    section 3.2a); the p-value is that of their section 2.4: the share of districts whose ratio of later to earlier
    misses is at least as large, the treated one included.
    """
    rows, pre, post = _rows_of(sample), sample.contrast.pre, sample.contrast.post
    # numbers in the order of the names: the package looks rows up by them thousands of times
    places = {"district_code": rows["district_code"].rank(method="dense"), "year": rows["year"].rank(method="dense")}
    late = rows["year"].isin(post)
    panel = rows.assign(treated=rows["treated"] * late, **places)
    fitted = _control_fit(panel, panel.loc[late, "year"].unique())
    miss, spread = float(fitted.pre_rmspe), float(np.std(sample.y_treated[0, sample.columns(pre)], ddof=1))
    if miss > spread:
        raise BadInput(
            f"No weights of the comparison units give the {len(pre)} years before: they miss them by {miss:.1f} a "
            f"year, more than those years differ among themselves ({spread:.1f})."
        )
    with quiet():
        fitted.in_space_placebo()
    largest = ", ".join(
        f"{weight:.0%}" for weight in sorted(fitted.donor_weights.values(), reverse=True)[:3] if weight >= 0.005
    )
    note = f"Misses the {len(pre)} years before by {miss:.2f} a year; largest weights {largest}."
    floor = 1 / (int(fitted.n_placebos) + 1)
    effect = to_points(float(fitted.att), sample)
    return Method("synthetic_control", effect, p_value=float(fitted.placebo_p_value), p_floor=floor, note=note)


def _rows_of(sample: Sample) -> pd.DataFrame:
    """Return the sample as `long_rows`; see `synthetic_did` for what is refused."""
    if len(sample.treated) > 1:
        raise BadInput("The synthetic difference is made for one treated unit at a time.")
    if sample.spec.weights != "equal":
        raise BadInput("Synthetic weights take the place of weights by students; use weights 'equal'.")
    if len(sample.contrast.pre) < LEAST_YEARS:
        raise BadInput("Synthetic weights match the years before; one year alone leaves nothing to match.")
    if len(sample.comparison) > MOST_DONORS:
        raise BadInput(
            f"Synthetic weights over {len(sample.comparison)} possible donors are not fitted here: a placebo for each "
            "takes seconds a unit. Use a comparison group of at most 40."
        )
    years = sample.contrast.years
    y = np.concatenate([sample.y_treated, sample.y_comparison])[:, sample.columns(years)]
    return long_rows(y, (*sample.treated, *sample.comparison), years)


def _control_fit(rows: pd.DataFrame, post: Sequence[float]) -> Any:
    # imported here because it is slow to import and only this asks for it
    from diff_diff import SyntheticControl

    with warnings.catch_warnings():
        # a poor fit before is said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return SyntheticControl(v_method="inverse_variance").fit(
            rows, "y", "treated", "district_code", "year", post_periods=list(post)
        )


def placebo_p(fitted: Any) -> tuple[float, float]:
    """Return the exact p-value of the placebos of `fit_rows`, and its floor."""
    placebos = np.asarray(fitted.variance_effects)
    beyond = int(np.sum(np.abs(placebos) >= abs(fitted.att) - TIE))
    return (1 + beyond) / (len(placebos) + 1), 1 / (len(placebos) + 1)


def long_rows(y: np.ndarray, codes: tuple[str, ...], years: tuple[str, ...]) -> pd.DataFrame:
    """Return a panel of districts by years, the treated one first, as rows: district_code, year, y, treated."""
    return pd.DataFrame(
        {
            "district_code": np.repeat(codes, len(years)),
            "year": np.tile(years, len(codes)),
            "y": y.ravel(),
            "treated": np.repeat([1] + [0] * (len(codes) - 1), len(years)),
        }
    )


def fit_rows(rows: pd.DataFrame, post: tuple[str, ...]) -> Any:
    """Return `diff-diff`'s fit of the rows of `long_rows`, with one placebo for each comparison district."""
    # imported here because it is slow to import and only this asks for it
    from diff_diff import SyntheticDiD

    class EveryPlacebo(SyntheticDiD):
        """Puts each comparison district in the treated one's place once, where the package draws some."""

        def _placebo_variance_se(self, before: np.ndarray, *others: Any, **options: Any) -> Any:
            order = np.arange(before.shape[1])
            each = np.array([[*order[order != last], last] for last in order])
            return super()._placebo_variance_se(before, *others, **{**options, "_placebo_indices": each})

    with warnings.catch_warnings():
        # poor fit before and few years are said in the note of the method, in the study's own words
        warnings.simplefilter("ignore")
        return EveryPlacebo().fit(rows, "y", "treated", "district_code", "year", post_periods=list(post))

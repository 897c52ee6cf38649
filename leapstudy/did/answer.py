"""The whole answer of the public track: for one district, and for all of them together."""

from dataclasses import dataclass, fields
from math import isfinite
from operator import attrgetter

import pandas as pd

from leapstudy.core.cache import of_last
from leapstudy.core.estimate import Estimate, to_frame
from leapstudy.core.phrases import between, number
from leapstudy.data.names import outcome_unit
from leapstudy.did.design import Spec
from leapstudy.did.eventstudy import EventStudy
from leapstudy.did.inference.record import Inference, Method
from leapstudy.did.lottery.rollout import Rollout
from leapstudy.did.nested import DEALT
from leapstudy.did.permutation import holm
from leapstudy.did.pool import PooledDistricts
from leapstudy.did.rebound import Rebound
from leapstudy.did.sensitivity.analyses import Sensitivity
from leapstudy.did.shrinkage import Shrinkage
from leapstudy.did.spread import Detectable

# The estimators of one contrast in words.
ESTIMATORS = {
    "did": "difference-in-differences",
    "did_logodds": "difference-in-differences, log-odds",
    "sdid": "synthetic difference-in-differences",
    "synthetic_control": "synthetic control",
    "did_covariates": "adjusted for traits before",
    "did_rebound_adjusted": "adjusted for rebound",
    "did_one_step_up": "adjusted for linear trends",
    "lottery_efficient": "efficient for starts drawn by lot",
}


@dataclass(frozen=True, slots=True, repr=False)
class SharedAnswer:
    """What the page of one district and that of all of them show alike; all frames in percentage points.

    Attributes
    ----------
    estimates : tuple of Estimate
        Every row of `estimates.csv` of this answer; `main` is the one that the spec asks for.
    comparison_districts : DataFrame
        district_code, district, students, drg of the main sample's comparison districts.
    raw_means : DataFrame
        group ('district', then the keys of `group_labels`, 'state'), label, year, rate_pct, n_districts, measure.
    permutation : DataFrame
        One row a placement: district_code, district, placebo_pp, is_treated; the main contrast. Of all districts
        together: placebo_pp, the pooled estimate under each permutation of the labels.
    editions : DataFrame
        edition, estimate_pp, se_pp, ci_low_pp, ci_high_pp, p_value of the main contrast and comparison.
    leave_one_out : DataFrame
        side ('treated' or 'comparison'), district_code, district, estimate_pp, ci_low_pp, ci_high_pp without that
        district; no ends where its absence leaves no bounded interval. Of a side of more than 200 the 100 that move the
        effect most either way.
    chronic : EventStudy or None
        Chronic absence, over every year that the edition's table has; None where the state publishes none.
    not_possible : tuple of str
        What could not be estimated, each with its reason.
    sensitivity : Sensitivity
        Every other way to ask, and every assumption relaxed.
    """

    code: str
    district: str
    spec: Spec
    main: Estimate
    estimates: tuple[Estimate, ...]
    detectable: Detectable
    comparison_districts: pd.DataFrame
    raw_means: pd.DataFrame
    permutation: pd.DataFrame
    editions: pd.DataFrame
    leave_one_out: pd.DataFrame
    event_study: EventStudy
    chronic: EventStudy | None
    rebound: Rebound | None
    not_possible: tuple[str, ...]
    sensitivity: Sensitivity

    def __repr__(self) -> str:
        """Return what the pages say in a few lines, by the preferred test as they do; all else is an attribute."""
        main, unit = self.main, outcome_unit(self.main.outcome, "long")
        test, least = getattr(self, "headline", None), self.detectable.mde_pp
        low, high = (test.low_pp, test.high_pp) if test else (main.ci_low_pp, main.ci_high_pp)
        found = f"{number(least)} {unit} with 80% power" if isfinite(least) else "no effect, however large"
        return "\n".join(
            [
                f"{type(self).__name__}: {self.district}",
                f"  Estimate    {number(main.estimate_pp)} {unit} ({between(low, high)})",
                f"  Contrast    {main.pre} to {main.post}, {main.outcome}, edition {main.edition}",
                f"  Comparison  {main.comparison}, {main.n_treated} against {main.n_comparison}",
                f"  Detectable  {found}",
                f"  Attributes  main, estimates, event_study, sensitivity and {len(fields(self)) - 4} more",
            ]
        )


@dataclass(frozen=True, slots=True, repr=False)
class DistrictAnswer(SharedAnswer):
    """Everything that the page of one district shows.

    Attributes
    ----------
    inference : Inference
        Every test of the main estimate side by side; `headline` is the one that holds its size here and `headline_why`
        says why. `main` keeps the permutation's p-value and interval, by which contrasts and outcomes are compared; the
        main row of `estimates` has those of the headline, see `inference.lead`. `detectable` is that of the headline.
    methods : DataFrame
        The tests that gave an answer, see `inference.methods_table`.
    among : PooledDistricts or None
        All treated districts under the same question, so that this one is not read as if it were the only one; None
        where they cannot be pooled, which `not_possible` then says.
    """

    inference: Inference
    methods: pd.DataFrame
    headline: Method
    headline_why: str
    among: PooledDistricts | None


@dataclass(frozen=True, slots=True, repr=False)
class PooledAnswer(SharedAnswer):
    """Everything that the page of all districts together shows.

    Attributes
    ----------
    by_district : DataFrame
        One row a treated district, sorted by estimate: district_code, district, estimate_pp, se_pp, ci_low_pp,
        ci_high_pp (t interval, as the pooled model takes it), p_t (of that interval), p_value, p_floor (of the
        preferred test), mde_pp of the spec's contrast and comparison.
    pooling : PooledDistricts or None
        All districts tested and shrunken together, with the spec's prior on their mean effect; None where the spec is
        not in points with equal weights, which `not_possible` then says.
    caterpillar : DataFrame
        Its districts with their names, as the figure draws them; empty without `pooling`.
    informed : Shrinkage or None
        The same with comparable programs' effects as prior; None where none was given, or it is the spec's own.
    drawn : Rollout or None
        The efficient estimate where lots decided who started when; None where they did not, or it cannot be made.
    headline : Method or None
        The preferred test where the program is in one unit alone, as in `DistrictAnswer`; else that of `main` is.
    """

    by_district: pd.DataFrame
    pooling: PooledDistricts | None
    caterpillar: pd.DataFrame
    informed: Shrinkage | None
    drawn: Rollout | None
    headline: Method | None


Answer = DistrictAnswer | PooledAnswer


def contrast_rows(answer: Answer) -> pd.DataFrame:
    """Return the rows that differ from the main one in nothing but comparison group and contrast."""
    return _like_main(answer, "district_code", "estimator", "edition", "outcome")


def _like_main(answer: Answer, *names: str, test: bool = True) -> pd.DataFrame:
    """Return the rows that are as the main one in these columns, and by default in their test."""
    same = attrgetter(*names)
    main = same(answer.main), _test(answer.main)
    alike = [(same(item), _test(item) if test else main[1]) == main for item in answer.estimates]
    return _frame(answer)[alike].reset_index(drop=True)


@of_last
def _frame(answer: Answer) -> pd.DataFrame:
    return to_frame(answer.estimates)


def _test(row: Estimate) -> str:
    """Return the test of a row, every way to deal the labels being one."""
    return "dealt" if row.p_method in DEALT else row.p_method


def outcome_rows(answer: Answer) -> pd.DataFrame:
    """Return the other outcomes under the same question, with `p_holm`: corrected over them, the asked one kept apart.

    Holm (1979): the planned outcome is tested by itself, so that what stands beside it cannot take its power.
    """
    same = _like_main(answer, "district_code", "estimator", "edition", "comparison", "pre", "post")
    others = same[(same["outcome"] != answer.main.outcome) & same["p_value"].notna()].reset_index(drop=True)
    if others.empty:
        return others.assign(p_holm=pd.Series(dtype=float))
    return others.assign(p_holm=holm(others["p_value"]))


def estimator_rows(answer: Answer) -> pd.DataFrame:
    """Return one row an estimator of the contrast that was asked, and of no other: label, is_main, `estimates.csv`."""
    main = answer.main
    rows = _like_main(answer, "district_code", "outcome", "edition", "comparison", "pre", "post", test=False)
    own = rows[rows["event_time"].isna()]
    is_main = (own["estimator"] == main.estimator) & (own["p_method"] == main.p_method)
    others = own["estimator"].isin(
        [name for name in ESTIMATORS if not name.startswith("did_logodds") and name != "did"]
    )
    estimators = own[is_main | others]
    exhibit = estimators.assign(label=estimators["estimator"].map(ESTIMATORS), is_main=is_main[estimators.index])
    return exhibit.sort_values("is_main", ascending=False, kind="stable")

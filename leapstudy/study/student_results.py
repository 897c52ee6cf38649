"""The student track's answer for one district or for all together: one frozen record, made of aggregates only."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from leapstudy.core.estimate import Estimate
from leapstudy.evidence.standards import EssaGrade
from leapstudy.evidence.verdict import Verdict
from leapstudy.students.referral_rule import ReferralRule

# How visited students are compared; `at_risk` is the recommended one.
DesignName = Literal["before_after", "never", "not_yet", "early", "at_risk"]

RECOMMENDED: DesignName = "at_risk"

# Why there is no effect: few students, nobody seen before and after, nobody like them, no month of the headline, a
# rule that leaves nobody like them, or no variation.
Reason = Literal["few", "followed", "comparison", "months", "overlap", "alike"]

DESIGN_LABELS: dict[DesignName, str] = {
    "before_after": "before and after, no comparison",
    "never": "never visited, last month before as base",
    "not_yet": "not yet visited, last month before as base",
    "early": "never visited, early base",
    "at_risk": "at risk in the same month, same absence before",
}

# Designs of which no month is shown, only the mean: two bases of the same students differ from month to month by those
# who are no longer followed, and so would tell the attendance of one who is alone in that.
HEADLINE_ONLY: tuple[DesignName, ...] = ("early",)

# Event time is in calendar months since the first visit; `low_sup_pp` and `high_sup_pp` hold for all months at once.
PATH_COLUMNS = ("event_time", "estimate_pp", "se_pp", "low_pp", "high_pp", "low_sup_pp", "high_sup_pp")


@dataclass(frozen=True, slots=True)
class DesignAnswer:
    """What one design finds, and what it finds where nobody was visited.

    Attributes
    ----------
    name : str
        Key of `DESIGN_LABELS`.
    path, placebo_path : pandas.DataFrame
        The columns `PATH_COLUMNS`, one row per event time; no row where nothing can be estimated, and of the designs in
        `HEADLINE_ONLY`.
    main, placebo : Estimate or None
        Mean over the months of the headline; None where refused.
    overlap : float
        Share of the visited students that the estimate covers.
    refused : tuple of str
        What was not estimated, and why, in words.
    why_none : Reason or None
        Of an effect that is missing.
    card : tuple of (str, str)
        The estimand card: what and how, line by line.
    """

    name: DesignName
    path: pd.DataFrame
    placebo_path: pd.DataFrame
    main: Estimate | None
    placebo: Estimate | None
    overlap: float
    refused: tuple[str, ...]
    card: tuple[tuple[str, str], ...]
    why_none: Reason | None = None


@dataclass(frozen=True, slots=True)
class PreTrend:
    """The joint test that months before the visit show nothing, in the recommended design.

    `mde_pp` is the slope in points a month that it finds with 80% power; `months` how many months it tests.
    """

    p_value: float
    mde_pp: float
    months: int


@dataclass(frozen=True, slots=True)
class StudentBounds:
    """Robust interval of the headline as trends depart, in the recommended design (Rambachan and Roth 2023).

    Attributes
    ----------
    table : pandas.DataFrame
        m, low_pp, high_pp: from one month to the next after the visit the difference between both sides changes, beyond
        the effect, by at most `m` times as much as it did at most before; without any change (0) it is the plain
        interval.
    breakdown : float or None
        Smallest `m` at which the interval includes zero (0: without any); None beyond the search.
    largest_before_pp : float
        Largest change from one month to the next before the visit.
    months : int
        Months before the visit that it is taken from.
    """

    table: pd.DataFrame
    breakdown: float | None
    largest_before_pp: float
    months: int


@dataclass(frozen=True, slots=True)
class PrimaryAnswer:
    """The outcome that leads without a draw, where the plan names another one than attendance.

    `main` is its effect on the visited, `control` what it shows for those referred and not met (None: not to be had).
    """

    main: Estimate
    control: Estimate | None


@dataclass(frozen=True, slots=True)
class LotteryAnswer:
    """What a draw says, as its pages need it.

    Attributes
    ----------
    rows : tuple of Estimate
        Effect of the offer (main), difference before the start (placebo), means, effect of being visited, of a visit.
    verdict : Verdict
    card : tuple of (str, str)
        What and how, line by line: units, test, attrition, leavers, being visited.
    essa : EssaGrade
    promised : str
        What was promised beforehand, in the plan's own words; may be empty.
    outcomes_from : str
        Day before which outcomes were closed, ``YYYY-MM-DD``.
    on_record : bool
        Whether the draw's record holds a plan that was frozen before it; else `promised` is what the parameters say.
    late : bool
        Whether the draw on record was made after its first start, so that lots did not decide who started then.
    """

    rows: tuple[Estimate, ...]
    verdict: Verdict
    card: tuple[tuple[str, str], ...]
    essa: EssaGrade
    promised: str
    outcomes_from: str
    on_record: bool = False
    late: bool = False

    @property
    def offer(self) -> Estimate:
        """The effect of the offer."""
        return self.rows[0]

    def row(self, estimator: str) -> Estimate | None:
        """Return the row of an estimator that is no placebo, or None."""
        return next((row for row in self.rows if row.estimator == estimator and row.role != "placebo"), None)


@dataclass(frozen=True, slots=True)
class StudentAnswer:
    """Everything that the student track says about one district, or about all (`ALL`).

    Attributes
    ----------
    edition : str
        SIMULATED, or what the files are called.
    rule : ReferralRule or None
        None where nobody was referred.
    designs : tuple of DesignAnswer
        In the order of `DESIGN_LABELS`.
    control : Estimate or None
        What the recommended design finds for students who were referred and not met, where zero is expected.
    pre_trend : PreTrend or None
    bounds : StudentBounds or None
        Of all districts together only, where the months before the visit are least noisy.
    rebound : pandas.DataFrame
        event_time, picked_pct, others_pct: mean attendance of students whom the rule would have picked before there was
        any visit, and of the other students in the same months.
    raw_paths : pandas.DataFrame
        month (``YYYY-MM``), group (season of the first visit, or never visited), rate_pct.
    parts : pandas.DataFrame
        dimension (grade band, visits), group, estimate_pp, se_pp, low_pp, high_pp, reason: the recommended design
        among some of the visited only; `reason` says why a row has no estimate.
    estimates : tuple of Estimate
        The rows of `estimates.csv`.
    lottery : LotteryAnswer or None
        Of all districts together only, where lots were drawn.
    checks : pandas.DataFrame or None
        Of all districts together only: the columns `student_outcomes.CHECK_COLUMNS`.
    outcomes : pandas.DataFrame or None
        The same for outcomes beyond attendance: the columns `student_outcomes.OUTCOME_COLUMNS`.
    planned : str
        The outcome that the plan names as primary.
    primary : PrimaryAnswer or None
        Of all districts together only, where that is not attendance and nobody drew lots.
    margin_pp : float or None
        Smallest size of the effect that leads that would matter by the frozen plan, points; None where no plan says so.
    plan : tuple of (str, str)
        The frozen plan, line by line; empty where none was frozen.
    """

    code: str
    district: str
    edition: str
    rule: ReferralRule | None
    designs: tuple[DesignAnswer, ...]
    control: Estimate | None
    pre_trend: PreTrend | None
    bounds: StudentBounds | None
    rebound: pd.DataFrame
    raw_paths: pd.DataFrame
    parts: pd.DataFrame
    estimates: tuple[Estimate, ...]
    lottery: LotteryAnswer | None = None
    checks: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    planned: str = "attendance"
    primary: PrimaryAnswer | None = None
    margin_pp: float | None = None
    plan: tuple[tuple[str, str], ...] = ()

    @property
    def leading(self) -> Estimate | None:
        """The row that the pages lead with: of a draw, of the plan's primary outcome, or of the recommended design."""
        if self.lottery is not None:
            return self.lottery.offer
        return self.design().main if self.primary is None else self.primary.main

    @property
    def leads_with_path(self) -> bool:
        """Whether the recommended design's attendance, month by month, leads the pages."""
        return self.lottery is None and self.primary is None

    def design(self, name: DesignName = RECOMMENDED) -> DesignAnswer:
        """Return one design by name."""
        return next(item for item in self.designs if item.name == name)


def beside(main: Estimate, row: Any, **own: Any) -> Estimate:
    """Return a further estimate as a row of `estimates.csv` beside the headline.

    Parameters
    ----------
    main
        The headline; what `row` and `own` do not say is as there.
    row
        A row with estimate_pp, se_pp, low_pp, high_pp, n_treated and n_comparison.
    own
        Further fields of `Estimate`.
    """
    sides = {"n_treated": int(row.n_treated), "n_comparison": int(row.n_comparison)}
    interval = (row.estimate_pp, row.se_pp, row.low_pp, row.high_pp)
    return main.telling(interval, role="sensitivity", p_floor=None, seed=None, **sides, **own)

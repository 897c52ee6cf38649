"""What notebook 20 calls: one district's answer out of the sums that were stored for the whole state."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leapstudy.core.errors import bad_value
from leapstudy.core.estimate import Estimate
from leapstudy.core.names import ALL_DISTRICTS as ALL
from leapstudy.core.names import SIMULATION
from leapstudy.core.phrases import between, number, probability
from leapstudy.core.table import Table
from leapstudy.did.at_risk import HEADLINE
from leapstudy.did.sensitivity.bounds import Strength, strength
from leapstudy.did.spread import mde_factor
from leapstudy.evidence.verdict import Verdict, Window, beyond_control, decide
from leapstudy.students.outcomes import KINDS
from leapstudy.study.result import made, restored, save_result
from leapstudy.study.student_designs import months_named
from leapstudy.study.student_results import PreTrend, PrimaryAnswer, StudentAnswer


@dataclass(frozen=True, slots=True, repr=False)
class StudentStudy:
    """An answered question of the student track, as its pages need it; aggregates only, small counts hidden.

    Attributes
    ----------
    name, slug : str
        Of the district.
    answer : StudentAnswer
    simulated : bool
        Whether the students are SIMULATED; every picture and sentence then says so.
    funnel : pandas.DataFrame
        step, students (empty where hidden).
    rule_shares : pandas.DataFrame
        cut, referred_share, others_share: who had missed at least `cut` percent in the rule's window.
    supports : pandas.DataFrame
        support, share (of visited students of all districts), the most common first.
    placebo_students : str
        How many students the placebo program picked.
    truth : pandas.DataFrame or None
        event_time, effect_pp; known for SIMULATED students only.
    published : pandas.DataFrame
        who, month, effect_pp.
    period : str
        First to last month of the file.
    hashes : dict
        What the study was made from.
    source_name : str
        How pages cite the files.
    rows : pandas.DataFrame
        table, what, rows: rows in, set aside by rule, and used, of each file.
    """

    name: str
    slug: str
    answer: StudentAnswer
    simulated: bool
    funnel: pd.DataFrame
    rule_shares: pd.DataFrame
    supports: pd.DataFrame
    placebo_students: str
    truth: pd.DataFrame | None
    published: pd.DataFrame
    period: str
    hashes: dict[str, str]
    source_name: str
    rows: pd.DataFrame

    def __repr__(self) -> str:
        """Return what was measured in a few lines; never a row."""
        main = self.answer.leading
        effect = (
            "hidden or refused"
            if main is None
            else f"{number(main.estimate_pp)} percentage points ({between(main.ci_low_pp, main.ci_high_pp)}) of "
            f"{main.outcome.replace('_', ' ')}, {main.post}"
        )
        return f"Students of {self.name}\n  Effect   {effect}\n  Counts   {self.sizes}\n  Source   {self.source}"

    @property
    def source(self) -> str:
        """Where the figures are from."""
        return f"SIMULATED state of params/{SIMULATION}" if self.simulated else f"{self.source_name}, {self.period}"

    @property
    def together(self) -> bool:
        """Whether this is the answer of all districts."""
        return self.answer.code == ALL

    @property
    def has_outcomes(self) -> bool:
        """Whether a table of outcomes beyond attendance is named."""
        return self.simulated or any(name.startswith("outcomes") for name in self.hashes)

    @property
    def account(self) -> Table:
        """The rows of each file: in, set aside by rule, and used."""
        return Table(self.rows, f"Rows of the files: each is used or set aside by one rule. Source: {self.source}.")

    @property
    def draw(self) -> Table | None:
        """How the draw was analyzed, line by line, with each condition of the strongest tier; None without a draw."""
        lottery = self.answer.lottery
        if lottery is None:
            return None
        conditions = [(item.name, item.reason) for item in lottery.essa.conditions if 1 in item.tiers]
        rows = pd.DataFrame([*lottery.card, *conditions], columns=["what", "how"])
        return Table(rows, f"The draw, and the conditions of tier 1. Source: {self.source}.")

    @property
    def sample(self) -> str:
        """Which students."""
        return f"students of {self.name}" + (", SIMULATED" if self.simulated else "")

    @property
    def sizes(self) -> str:
        """How many students, and how many of them visited."""
        steps = dict(zip(self.funnel["step"], self.funnel["students"], strict=True))
        counts = (
            f"{value:,.0f} {step}"
            for step, value in steps.items()
            if step in ("enrolled", "visited") and not np.isnan(value)
        )
        return "students: " + (", ".join(counts) or "hidden, since they are few")

    @property
    def headline_words(self) -> str:
        """The months of the headline, which are fewer where the file ends early."""
        main = self.answer.design().main
        return main.post if main else f"months {HEADLINE[0]} to {HEADLINE[1]}"

    @property
    def true_headline(self) -> float | None:
        """The true mean over the months that the headline is of; None where the truth is not known."""
        if self.truth is None:
            return None
        inside = self.truth.loc[self.truth["event_time"].isin(months_named(self.headline_words)), "effect_pp"]
        return float(inside.mean()) if len(inside) else None

    @property
    def mde_pp(self) -> float | None:
        """The smallest effect that what leads finds with 80% power at 5%; None where it is refused."""
        main = self.answer.leading
        if main is None or main.se_pp is None:
            return None
        return main.se_pp * mde_factor(main.n_treated + main.n_comparison - 1)

    @property
    def checks(self) -> Table:
        """The headline adjusted for a continuous history, beside unexposed schools, and for all referred."""
        table = self.answer.checks
        if table is None:
            why = "No effect to check." if self.together else "These checks are made of all districts together."
            return Table(pd.DataFrame({"what": []}), why)
        exhibit = table[["what", "estimate_pp", "low_pp", "high_pp", "reason"]]
        return Table(exhibit, f"The headline, adjusted (doubly robust), 95% CI. Source: {self.source}.")

    @property
    def outcomes(self) -> Table:
        """What else changed for visited students, each outcome on its own clock; and the truth where it is known."""
        table = self.answer.outcomes
        if table is None:
            why = "No table of outcomes beyond attendance is named."
            if self.has_outcomes:
                there = "Other outcomes are shown on the page of all districts together."
                why = "No outcome is set beside a missing effect on attendance." if self.together else there
            return Table(pd.DataFrame({"outcome": []}), why)
        kinds = [KINDS[name] for name in table["outcome"]]
        rows = pd.DataFrame(
            {
                "Outcome": table["outcome"].str.replace("_", " "),
                "Better": ["higher" if kind.more_is_better else "lower" for kind in kinds],
                "Unit": table["unit"],
                "Effect": table["estimate_pp"],
                "95% CI": [between(low, high) for low, high in zip(table["low_pp"], table["high_pp"], strict=True)],
                "p (Holm)": [probability(p) for p in table["p_holm"]],
                "Read with care": table["reason"].where(table["reason"] != "", [kind.trap for kind in kinds]),
            }
        )
        return Table(rows, f"Effect of a visit on further outcomes. Source: {self.source}.")

    @property
    def unobserved(self) -> Strength | None:
        """How strong a reason that nobody recorded must be to explain away the effect that no draw protects."""
        main = self.answer.design().main if self.answer.primary is None else self.answer.primary.main
        if main is None or not main.se_pp:
            return None
        return strength(main.estimate_pp, main.se_pp, main.n_treated + main.n_comparison - 1)

    @property
    def _graded(self) -> dict[str, Any]:
        """The evidence tier as pages read it; only a draw is graded."""
        return {} if self.answer.lottery is None else {"essa": self.answer.lottery.essa}

    @property
    def verdict(self) -> Verdict | None:
        """What may be said: the effect beside the placebo, months before and control; None without an effect."""
        if self.answer.lottery is not None:
            return self.answer.lottery.verdict
        design, primary = self.answer.design(), self.answer.primary
        if primary is None:
            return student_verdict(design.main, design.placebo, self.answer.control, self.answer.pre_trend)
        return primary_verdict(primary, design.placebo, self.answer.control, self.answer.pre_trend)

    def save(self, result_path: str) -> None:
        """Write the result file; an empty path writes nothing."""
        save_result(
            result_path,
            track="students",
            district={"code": self.answer.code, "name": self.name, "slug": self.slug},
            params={"edition": self.answer.edition},
            made={**made(self.hashes, simulated=self.simulated), "source": self.source},
            estimates=self.answer.estimates,
            blocks={
                **self._graded,
                "answer": self.answer,
                "funnel": self.funnel,
                "truth": self.truth,
                "published": self.published,
                "period": self.period,
                "rows": self.rows,
                "verdict": self.verdict,
                "unobserved": self.unobserved,
                "detectable": {"mde_pp": self.mde_pp},
            },
        )


def student_verdict(
    main: Estimate | None, placebo: Estimate | None, control: Estimate | None, pre_trend: PreTrend | None
) -> Verdict | None:
    """Return the verdict on the recommended design, worst news first; None without an estimate.

    Parameters
    ----------
    main
        The effect on visited students.
    placebo
        Students drawn by the rule before any visit, where zero is expected if the design removes the rebound.
    control
        Students who were referred and not met, where zero is expected if picking does not matter. Nothing is claimed
        that does not go beyond it.
    pre_trend
        Joint test of the months before the visit.
    """
    if main is None:
        return None
    tests = {"Drawn by the rule before any visit": placebo, "Referred and not met": control}
    return _decided(main, control, tests, {*tests}, pre_trend)


def primary_verdict(
    primary: PrimaryAnswer, placebo: Estimate | None, control: Estimate | None, pre_trend: PreTrend | None
) -> Verdict:
    """Return the verdict on a primary outcome other than attendance; of `KINDS` less or more is better.

    Parameters
    ----------
    primary
        Its effect, and what it shows for those referred and not met, where zero is expected.
    placebo, control, pre_trend
        Of attendance: they do not refute the primary outcome, but where one rejects nothing is claimed.
    """
    main, own = primary.main, primary.control
    tests = {
        "Referred and not met": own,
        "Attendance, drawn by the rule before any visit": placebo,
        "Attendance, referred and not met": control,
    }
    lower = not KINDS[main.outcome].more_is_better
    return _decided(main, own, tests, {"Referred and not met"}, pre_trend, pre_trend_fits=False, lower_is_better=lower)


def _decided(
    main: Estimate,
    control: Estimate | None,
    tests: Mapping[str, Estimate | None],
    own: Set[str],
    pre_trend: PreTrend | None,
    *,
    pre_trend_fits: bool = True,
    lower_is_better: bool = False,
) -> Verdict:
    """Return the verdict on an effect beside tests where zero is expected, of which some are of its `own` outcome."""
    windows = [
        Window(name, row.estimate_pp, row.ci_low_pp, row.ci_high_pp, row.p_value, own=name in own)
        for name, row in tests.items()
        if row is not None
    ]
    trend = None if pre_trend is None else pre_trend.p_value
    figures = (main.estimate_pp, main.ci_low_pp, main.ci_high_pp, main.p_value)
    fits, lower = pre_trend_fits, lower_is_better
    verdict = decide(*figures, windows=windows, pre_trend_p=trend, pre_trend_fits=fits, lower_is_better=lower)
    control_pp, control_se = (None, 0.0) if control is None else (control.estimate_pp, control.se_pp or 0.0)
    return beyond_control(verdict, main.se_pp or 0.0, control_pp, control_se)


def study_students(district: str) -> StudentStudy:
    """Return the student track's study of one district, or of all (`all-districts`).

    The state is measured once, by whoever asks first; see `leapstudy.study.student_files`.

    Parameters
    ----------
    district
        Slug, name or code.

    Raises
    ------
    BadInput
        For a district of which the files hold no student, or files that cannot be used.
    """
    from leapstudy.study.student_files import stored_state

    states = stored_state()
    for content in states:
        if isinstance(district, str) and district in (content["slug"], content["name"], content["answer"]["code"]):
            return restored(StudentStudy, content)
    raise bad_value("district of the student files", district, [item["slug"] for item in states])

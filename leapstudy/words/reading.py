"""What the pages read out of a `result.json`: one record, with None for whatever the result does not hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtr

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.data.names import short, study_names
from leapstudy.did.nested import LOTTERY
from leapstudy.evidence.verdict import Verdict, rejects
from leapstudy.study.student_results import RECOMMENDED


@dataclass(frozen=True, slots=True)
class Span:
    """A number with the ends of its 95% interval; the ends are None where no interval could be formed."""

    value: float
    low: float | None
    high: float | None

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Both ends of the interval."""
        return self.low, self.high

    @property
    def includes_zero(self) -> bool:
        """Whether the interval includes zero, or none could be formed."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high

    @property
    def minus(self) -> "Span":
        """The same interval with the other sign."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Span(-self.value, low, high)

    def times(self, factor: float) -> "Span":
        """Return the same interval in another unit."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Span(self.value * factor, low, high)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a draw adds to a result.

    `promised` are the plan's own words or nothing, `outcomes_from` the day until which outcomes were closed,
    `on_record` whether a plan was frozen before the draw, `late` whether the draw came after its first start,
    `visited` the effect of being visited (None where the offer moved nobody).
    """

    promised: str
    outcomes_from: str
    on_record: bool
    late: bool
    visited: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One result as its pages tell it; effects in percentage points, shares from 0 to 1.

    Attributes
    ----------
    effect, placebo, control
        The main estimate, the same computation before the program, and that of students who were referred and not met.
    verdict
        What the figures allow one to say, the same on every page.
    chance_above, chance_prior
        Probability that the effect is above zero, all districts read together; and the prior that it rests on: "flat"
        or "published".
    together_failed
        Of one district: all districts read together, from which that chance is, fail the comparison's own test.
    mde, half
        Effect that the preferred test finds in 80% and in 50% of such studies; `never_detects` where it can find none.
    excluded, n_published
        How many of the published effects the interval rules out, of how many.
    coverage, implied
        Share of students visited, and the published effects times that share.
    dollars_per_day
        Cost of an extra day; None where none can be named.
    tier
        Evidence tier: "1" to "4", "none", or empty where nothing was graded.
    source
        Where student records are from, in the words of the parameters; empty for published figures.
    p_method
        The main estimate's own test, as `estimates.csv` names it.
    draw
        What a draw of students adds; None where nobody drew lots.
    planned
        The outcome that the plan names as primary, where another one leads this page; empty where it leads.
    period
        First to last month of student files; empty for published figures, whose years are `pre` and `post`.
    promise
        Of units that drew lots: the question that was frozen before, and the day until which outcomes stayed closed;
        empty where no plan on record was frozen.
    scale, weights
        "points" or "logodds", and "equal" or "students", as the parameters say.
    eligible
        Whether the design could meet the What Works standards: eligible, eligible if adjusted, not eligible, or empty.
    """

    slug: str
    name: str
    code: str
    track: str
    simulated: bool
    source: str
    effect: Span
    verdict: Verdict
    comparison: str
    n_treated: int
    n_comparison: int
    edition: str
    outcome: str
    pre: str
    post: str
    placebo: Span | None
    control: Span | None
    chance_above: float | None
    chance_prior: str
    together_failed: bool
    mde: float | None
    half: float | None
    never_detects: bool
    excluded: int
    n_published: int
    coverage: float | None
    implied: tuple[float, float] | None
    dollars_per_day: Span | None
    days_refusal: str
    tier: str
    eligible: str
    p_method: str = ""
    draw: Draw | None = None
    planned: str = ""
    period: str = ""
    promise: tuple[str, str] = ("", "")
    scale: str = "points"
    weights: str = "equal"

    @property
    def p_value(self) -> float | None:
        """The p-value of the preferred test."""
        return self.verdict.p_value

    @property
    def single(self) -> bool:
        """Whether one treated district stands alone."""
        return self.n_treated == 1 and self.track == "public"

    @property
    def of_part(self) -> bool:
        """Whether the outcome counts a group of students only, of whom nobody published how many were visited."""
        return study_names().of_part(self.outcome)

    @property
    def in_days(self) -> bool:
        """Whether the outcome is attendance, of which a point is so many days."""
        return study_names().in_days(self.outcome) if self.track == "public" else not self.verdict.lower_is_better

    @property
    def other(self) -> bool:
        """Whether the outcome is neither attendance nor chronic absence."""
        return self.track == "public" and study_names().other(self.outcome)

    @property
    def drawn(self) -> bool:
        """Whether lots decided which units started, and this comparison is the lottery's."""
        return self.p_method == LOTTERY

    @property
    def untested(self) -> bool:
        """Whether no earlier change of both sides could be compared."""
        return self.verdict.before == "untested" and self.track == "public"


def read_result(result: Mapping[str, Any]) -> Reading:
    """Return what the pages need of a result.

    Raises
    ------
    BadInput
        If the result has no main estimate: no page could say anything.
    """
    blocks, district, record = (result.get(name) or {} for name in ("blocks", "district", "made"))
    placebo = _placebo(result, main := _main(result))
    verdict, effects = _verdict(blocks), _implied(blocks)
    return Reading(
        slug=str(district.get("slug", "")),
        name=short(str(district.get("name", main["district"]))),
        code=str(main["district_code"]),
        track=str(main["track"]),
        simulated=bool(record.get("simulated")),
        source=str(record.get("source") or ""),
        effect=Span(verdict.estimate_pp, verdict.low_pp, verdict.high_pp),
        verdict=verdict,
        n_treated=int(main["n_treated"]),
        n_comparison=int(main["n_comparison"]),
        **_as_asked(result, main),
        placebo=None if placebo is None else _span(placebo),
        control=_control(blocks),
        chance_above=_chance(blocks, main),
        chance_prior=str(at(result, "params", "prior") or "flat") if main["district_code"] == ALL_DISTRICTS else "flat",
        together_failed=rejects(at(blocks, "answer", "among", "p_before")),
        mde=_mde(blocks),
        half=at(blocks, "answer", "detectable", "half_pp"),
        never_detects=_never_detects(blocks),
        excluded=int(evidence_at(blocks, "power", "excluded") or 0),
        n_published=len(effects),
        coverage=evidence_at(blocks, "power", "coverage"),
        implied=(min(effects), max(effects)) if effects else None,
        dollars_per_day=_dollars_per_day(blocks),
        days_refusal=str(evidence_at(blocks, "cost", "visited_refusal") or ""),
        tier=_tier(evidence_at(blocks, "essa")),
        eligible=str(evidence_at(blocks, "wwc", "eligibility") or ""),
        p_method=str(main.get("p_method") or ""),
        draw=_draw(result),
        planned=_outcome_of_plan(blocks, str(main["outcome"])),
        period=str(at(blocks, "period") or ""),
        promise=(str(at(blocks, "lots", "question") or ""), str(at(blocks, "lots", "outcomes_from") or "")),
    )


def _as_asked(result: Mapping[str, Any], main: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked: of whom, of what, in which years, on which scale and with which weights."""
    usual = {"scale": "points", "weights": "equal"}
    choices = {name: str(at(result, "params", name) or value) for name, value in usual.items()}
    return choices | {name: str(main[name]) for name in ("comparison", "edition", "outcome", "pre", "post")}


def at(tree: Any, *path: str) -> Any:
    """Return what lies at a path of keys, or None as soon as one is not there."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def evidence_at(blocks: Mapping[str, Any], *path: str) -> Any:
    """Return a part of the evidence room's work, which may stand in one block or in several."""
    value = at(blocks, *path)
    return value if value is not None else at(blocks, "evidence", *path)


def has_answer(result: Mapping[str, Any]) -> bool:
    """Return whether there is a main estimate; a study of a few students refuses to name one."""
    return bool(_mains(result))


def why_none(result: Mapping[str, Any]) -> str:
    """Return why students have no effect (`student_results.Reason`), by the recommended design."""
    designs = at(result, "blocks", "answer", "designs") or []
    return next((item["why_none"] for item in designs if item["name"] == RECOMMENDED and item.get("why_none")), "few")


def _mains(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    main = at(result, "blocks", "answer", "main")
    return [main] if main else [row for row in result.get("estimates") or [] if row.get("role") == "main"]


def _main(result: Mapping[str, Any]) -> Mapping[str, Any]:
    rows = _mains(result)
    if not rows:
        raise BadInput("This result holds no main estimate. Run `leapstudy run --force` to make it again.")
    return rows[0]


def _placebo(result: Mapping[str, Any], main: Mapping[str, Any]) -> Mapping[str, Any] | None:
    same = ("outcome", "comparison", "edition", "estimator")
    for row in result.get("estimates") or []:
        if row.get("role") == "placebo" and all(row.get(name) == main.get(name) for name in same):
            return row
    return None


def _draw(result: Mapping[str, Any]) -> Draw | None:
    lottery = at(result, "blocks", "answer", "lottery")
    if lottery is None:
        return None
    rows = [row for row in result.get("estimates") or [] if row.get("estimator") == "lottery_visited"]
    visited = _span(rows[0]) if rows else None
    return Draw(lottery["promised"], lottery["outcomes_from"], lottery["on_record"], lottery["late"], visited)


def _outcome_of_plan(blocks: Mapping[str, Any], leading: str) -> str:
    outcome = str(at(blocks, "answer", "planned") or "")
    return "" if leading.startswith(outcome) else outcome


def _control(blocks: Mapping[str, Any]) -> Span | None:
    primary = at(blocks, "answer", "primary")
    row = at(blocks, "answer", "control") if primary is None else primary["control"]
    return None if row is None else _span(row)


def _span(row: Mapping[str, Any]) -> Span:
    return Span(float(row["estimate_pp"]), row.get("ci_low_pp"), row.get("ci_high_pp"))


def _verdict(blocks: Mapping[str, Any]) -> Verdict:
    own = evidence_at(blocks, "verdict")
    return Verdict(**{**own, "reasons": tuple(own["reasons"]), "cautions": tuple(own["cautions"])})


def _chance(blocks: Mapping[str, Any], main: Mapping[str, Any]) -> float | None:
    """P(effect > 0): of the pooled model where districts are compared, of the estimate alone for visited students."""
    if main["track"] == "students":
        return None if not main.get("se_pp") else float(ndtr(main["estimate_pp"] / main["se_pp"]))
    if main["district_code"] == ALL_DISTRICTS:
        return at(blocks, "answer", "pooling", "shrinkage", "mu_above_zero")
    rows = at(blocks, "answer", "among", "districts")
    return (
        None if not rows else dict(zip(rows["district_code"], rows["p_above"], strict=True)).get(main["district_code"])
    )


def _mde(blocks: Mapping[str, Any]) -> float | None:
    """The effect found with 80% power, of districts or of visited students."""
    districts = at(blocks, "answer", "detectable")
    return at(blocks, "detectable", "mde_pp") if districts is None else districts.get("mde_pp")


def _never_detects(blocks: Mapping[str, Any]) -> bool:
    """Whether the preferred test cannot reject at any size: an infinite effect stands as null in the file."""
    districts = at(blocks, "answer", "detectable")
    return districts is not None and districts.get("mde_pp") is None


def _implied(blocks: Mapping[str, Any]) -> list[float]:
    """The published effects as they would show in the average of all students."""
    return [float(item["diluted_pp"]) for item in evidence_at(blocks, "power", "published") or []]


def _tier(essa: Any) -> str:
    if not isinstance(essa, Mapping):
        return ""
    return "none" if essa.get("tier") is None else str(essa["tier"])


def _dollars_per_day(blocks: Mapping[str, Any]) -> Span | None:
    cost = evidence_at(blocks, "cost", "dollars_per_day")
    return None if cost is None else Span(cost["value"], cost["low"], cost["high"])

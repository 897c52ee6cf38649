"""What the pages read out of a `result.json`: one record, with None for whatever the result does not hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtr

from leapstudy.core.errors import BadInput
from leapstudy.data.names import short

SCHOOL_DAYS = 180
SMALL_PP = 100 / SCHOOL_DAYS
"""Points that are worth one school day a year; an interval inside plus and minus this is called precise."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Span:
    """A number with the ends of its 95 % interval; the ends are None where no interval could be formed."""

    value: float
    low: float | None
    high: float | None

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None

    @property
    def holds_zero(self) -> bool:
        """Whether zero is inside the interval, or no interval could be formed."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high

    def times(self, factor: float) -> "Span":
        """Return the same interval in another unit."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Span(self.value * factor, low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One result as its pages tell it; effects in percentage points, shares from 0 to 1.

    Attributes
    ----------
    effect, placebo
        The main estimate and the same computation before the program.
    chance_above
        Probability that the effect is above zero.
    mde
        Smallest effect that the design finds with 80 % power at 5 %.
    coverage, implied_low, implied_high
        Share of students visited, and the published effects times that share.
    dollars_per_day, cost_refusal
        Cost of an extra day, or the reason why none is named.
    tier
        Evidence tier: "1" to "4", "none", or empty where nothing was graded.
    source
        Where student records are from, in the words of the parameters; empty for published figures.
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
    p_value: float | None
    p_floor: float | None
    comparison: str
    n_treated: int
    n_comparison: int
    edition: str
    outcome: str
    pre: str
    post: str
    placebo: Span | None
    placebo_p: float | None
    chance_above: float | None
    mde: float | None
    coverage: float | None
    implied_low: float | None
    implied_high: float | None
    dollars_per_day: Span | None
    cost_refusal: str
    tier: str
    eligible: str

    @property
    def single(self) -> bool:
        """Whether one treated district stands alone."""
        return self.n_treated == 1 and self.track == "public"

    @property
    def one_period(self) -> bool:
        """Whether only one year lies before the program, so that earlier trends cannot be compared."""
        return "+" not in self.pre and self.track == "public"

    @property
    def placebo_failed(self) -> bool:
        """Whether the two sides had already moved apart before the program."""
        if self.placebo is None:
            return False
        by_p = self.placebo_p is not None and self.placebo_p <= ALPHA
        return by_p or (self.placebo.bounded and not self.placebo.holds_zero)


def read_result(result: Mapping[str, Any]) -> Reading:
    """Return what the pages need of a result.

    Raises
    ------
    BadInput
        If the result has no main estimate: no page could say anything.
    """
    blocks = result.get("blocks") or {}
    district = result.get("district") or {}
    main = _main(result)
    placebo = _placebo(result, main)
    return Reading(
        slug=str(district.get("slug", "")),
        name=short(str(district.get("name", main["district"]))),
        code=str(main["district_code"]),
        track=str(main["track"]),
        simulated=bool((result.get("made") or {}).get("simulated")),
        source=str((result.get("made") or {}).get("source") or ""),
        effect=_span(main),
        p_value=main.get("p_value"),
        p_floor=main.get("p_floor"),
        comparison=str(main["comparison"]),
        n_treated=int(main["n_treated"]),
        n_comparison=int(main["n_comparison"]),
        edition=str(main["edition"]),
        outcome=str(main["outcome"]),
        pre=str(main["pre"]),
        post=str(main["post"]),
        placebo=None if placebo is None else _span(placebo),
        placebo_p=None if placebo is None else placebo.get("p_value"),
        chance_above=_chance(blocks, main),
        mde=_mde(blocks),
        coverage=evidence_at(blocks, "power", "coverage"),
        implied_low=min(_implied(blocks), default=None),
        implied_high=max(_implied(blocks), default=None),
        dollars_per_day=_dollars_per_day(blocks),
        cost_refusal=str(evidence_at(blocks, "cost", "refusal") or ""),
        tier=_tier(evidence_at(blocks, "essa")),
        eligible=str(evidence_at(blocks, "wwc", "eligibility") or ""),
    )


def at(tree: Any, *path: str) -> Any:
    """Return what lies at a path of keys, or None as soon as one is not there."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def evidence_at(blocks: Mapping[str, Any], *path: str) -> Any:
    """Return a part of the evidence room's work, which may stand in one block or in several."""
    found = at(blocks, *path)
    return found if found is not None else at(blocks, "evidence", *path)


def has_answer(result: Mapping[str, Any]) -> bool:
    """Return whether there is a main estimate; a study of a few students refuses to name one."""
    return bool(_mains(result))


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


def _span(row: Mapping[str, Any]) -> Span:
    return Span(float(row["estimate_pp"]), row.get("ci_low_pp"), row.get("ci_high_pp"))


def _chance(blocks: Mapping[str, Any], main: Mapping[str, Any]) -> float | None:
    """P(effect > 0) from the estimate, its standard error and degrees of freedom, under a flat prior."""
    spread, df = at(blocks, "answer", "detectable", "se_pp"), at(blocks, "answer", "detectable", "df")
    spread = spread if spread is not None else main.get("se_pp")
    if not spread:
        return None
    return float(stdtr(df or 1e6, main["estimate_pp"] / spread))


def _mde(blocks: Mapping[str, Any]) -> float | None:
    """The smallest detectable effect, of districts or of visited students."""
    found = at(blocks, "answer", "detectable", "mde_t_pp")
    return at(blocks, "detectable", "mde_pp") if found is None else found


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

"""Days gained and dollars an extra day attended: refused wherever the figures cannot carry them.

1 percentage point of attendance is 1.8 days of a school year of 180 days. Money is what the state granted; what
districts, families and volunteers gave beside it is listed, never guessed. The program's published figures are brought
into the shape that is taken here and in `power`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.estimate import SCHOOL_DAYS
from leapstudy.core.phrases import between, number
from leapstudy.data import Facts, StudyData
from leapstudy.data.names import program_name, unit_noun
from leapstudy.data.state import Money

MILLION = 1e6
VISITED_ASSUMPTION = (
    "Per visited student: the effect on the average divided by the share of students visited, which assumes that "
    "visits moved nobody else."
)


@dataclass(frozen=True, slots=True)
class Range:
    """A value with the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Money for one or more districts together, in dollars."""

    area: str
    codes: tuple[str, ...]
    dollars: float
    source: str


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One part of the cost: `counted` in the figures or only named, and why."""

    name: str
    dollars: float | None
    counted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PublishedCost:
    """Dollars an extra day if a published effect on visited students held for a whole school year."""

    label: str
    effect_pp: float
    days: float
    dollars_per_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBlock:
    """What the money bought, as far as the figures say.

    Dollars. `days_average` is per average student, `days_visited` per visited student, a school year; the latter is
    None where no student could gain or lose so many, and `visited_refusal` says so. `dollars_per_day` is None where it
    is refused, and `refusal` then says why; otherwise both are empty.
    """

    ingredients: tuple[Ingredient, ...]
    days_average: Range
    days_visited: Range | None
    visited_refusal: str
    dollars_per_day: Range | None
    refusal: str
    published: tuple[PublishedCost, ...]


def days(effect_pp: float) -> float:
    """Return school days a year that an effect in percentage points of attendance is worth: pp / 100 x 180."""
    return effect_pp / 100 * SCHOOL_DAYS


def dollars_per_served(dollars: float, served: float) -> float:
    """Return dollars per visited student."""
    if served <= 0 or dollars < 0:
        raise BadInput(f"Need students visited above 0 and dollars of at least 0; got {served!r} and {dollars!r}.")
    return dollars / served


def split_grants(grants: Sequence[Grant], enrollment: Mapping[str, float]) -> dict[str, float]:
    """Split each grant over its districts by enrollment and return dollars by district code.

    Raises
    ------
    BadInput
        If a grant names a district without enrollment, or a district is named by no enrollment above 0.
    """
    dollars: dict[str, float] = {}
    for grant in grants:
        missing = [code for code in grant.codes if not enrollment.get(code, 0) > 0]
        if missing or not grant.codes:
            raise BadInput(
                f"The grant of {grant.area!r} cannot be split: no enrollment for {missing or 'any of its codes'}."
            )
        total = sum(enrollment[code] for code in grant.codes)
        for code in grant.codes:
            dollars[code] = dollars.get(code, 0.0) + grant.dollars * enrollment[code] / total
    return dollars


def ratio_from_interval(cost: float, gained: Range) -> tuple[Range | None, str]:
    """Turn a known cost and days gained with an interval into dollars a day, or refuse with the reason.

    With the cost known, Fieller's set is cost over each end of the interval of the days; this holds for any interval
    that comes from inverting a test, a permutation included.
    """
    if not all(math.isfinite(end) for end in (gained.low, gained.high)):
        return None, "Cost per extra day cannot be bounded: the days gained have no bounded interval."
    if gained.low <= 0 <= gained.high:
        return None, (
            f"Cost per extra day cannot be bounded: the interval of the days gained per visited student, "
            f"{between(gained.low, gained.high, 1)}, includes zero."
        )
    if gained.high < 0:
        return None, "Cost per extra day does not exist: the interval of the days gained lies below zero."
    return Range(cost / gained.value, cost / gained.high, cost / gained.low), ""


def impossible_days(visited: Range) -> str:
    """Return why days a visited student cannot be as many as the ratio says, or an empty text where they can.

    Examples
    --------
    >>> impossible_days(Range(-124.0, -194.0, -46.0))[:52]
    'Per visited student this would be −124 days (−194 to'
    >>> impossible_days(Range(-10.0, -39.0, 18.0))
    ''
    """
    numbers = [end for end in (visited.value, visited.low, visited.high) if math.isfinite(end)]
    if all(abs(days_) <= SCHOOL_DAYS for days_ in numbers):
        return ""
    ends = f" ({between(visited.low, visited.high, 0)})" if len(numbers) == 3 else ""
    return (
        f"Per visited student this would be {number(visited.value, 0)} days{ends} in a year of {SCHOOL_DAYS}, which "
        "cannot be: the share visited, or this estimate, is off."
    )


def scaled(range_: Range, factor: float) -> Range:
    """Return the range times a positive factor."""
    return Range(range_.value * factor, range_.low * factor, range_.high * factor)


def cost_block(
    dollars: float,
    served: float,
    coverage: float,
    effect_pp: Range,
    published: Sequence[tuple[str, float]],
    ingredients: Sequence[Ingredient],
    refusal: str = "",
    unknown: str = "",
) -> CostBlock:
    """Collect what the money bought for one district or for all together.

    Parameters
    ----------
    dollars, served
        Money counted and students visited with it.
    coverage
        Share of students visited, 0 to 1.
    effect_pp
        Effect on the average of all students with its interval, points; an unknown end is NaN.
    published
        Published effects on visited students: label and points.
    ingredients
        What is counted as cost, and what is only named.
    refusal
        Why nothing may be priced whatever the interval: a comparison that failed its placebo, a contrast before the
        program.
    unknown
        Why the share visited of those whom the outcome counts is not known: a group of students.
    """
    per_served = dollars_per_served(dollars, served)
    average = scaled(effect_pp, SCHOOL_DAYS / 100)
    visited = scaled(average, 1 / coverage)
    impossible = unknown or impossible_days(visited)
    per_day, unbounded = ratio_from_interval(per_served, visited)
    refusal = refusal or impossible or unbounded
    rows = tuple(
        PublishedCost(label, effect, days(effect), per_served / days(effect))
        for label, effect in published
        if effect > 0
    )
    return CostBlock(
        ingredients=tuple(ingredients),
        days_average=average,
        days_visited=None if impossible else visited,
        visited_refusal=impossible,
        dollars_per_day=None if refusal else per_day,
        refusal=refusal,
        published=rows,
    )


@dataclass(frozen=True, slots=True)
class Published:
    """A published effect on visited students, in points; `code` where it is that of a single district."""

    label: str
    effect_pp: float
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is published of the program.

    Attributes
    ----------
    served : float
        Students visited, as published in 2023; coverage in the first year was therefore at most `coverage`.
    launch_dollars : float
        Money at launch, as announced for all districts.
    grants : tuple of Grant
        The same money by area, as announced; rounded, so that it sums to a little less.
    published : tuple of Published
        Published effects on visited students.
    ingredients : tuple of Ingredient
        What is counted as cost and what is not, with the reason.
    enrollment : dict
        District code -> students in the first year of the program, every district.
    """

    served: float
    launch_dollars: float
    grants: tuple[Grant, ...]
    published: tuple[Published, ...]
    ingredients: tuple[Ingredient, ...]
    enrollment: dict[str, float]

    @property
    def enrolled(self) -> float:
        """Students enrolled in the first year of the program in the districts with a grant."""
        return sum(self.enrollment[code] for grant in self.grants for code in grant.codes)

    @property
    def coverage(self) -> float:
        """Students visited per student enrolled, over all treated districts; an error unless above 0 and at most 1."""
        if not 0 < self.served <= self.enrolled:
            raise BadInput(
                f"Students visited must be above 0 and at most the enrolled; got {self.served!r} of {self.enrolled!r}."
            )
        return self.served / self.enrolled

    def published_for(self, code: str) -> tuple[tuple[str, float], ...]:
        """Return label and points of the published effects that concern a district: general ones and its own."""
        return tuple((item.label, item.effect_pp) for item in self.published if item.code in (None, code))

    def has_grants(self, codes: Sequence[str]) -> bool:
        """Return whether each of these districts has a grant on record."""
        return set(codes) <= {code for grant in self.grants for code in grant.codes}

    def money_and_visits(self, codes: Sequence[str]) -> tuple[float, float]:
        """Return launch dollars and students visited of some treated districts.

        All of them together have the published totals. A part of them has its shares of the area grants by enrollment,
        and its enrollment times the common coverage, since visits by district are not published.

        Raises
        ------
        BadInput
            If a district has no grant.
        """
        dollars = split_grants(self.grants, self.enrollment)
        for code in codes:
            if code not in dollars:
                raise bad_value(
                    f"{program_name()} {unit_noun()} code",
                    code,
                    sorted(dollars),
                    "Only those with a grant have a cost.",
                )
        if set(codes) == set(dollars):
            return self.launch_dollars, self.served
        return sum(dollars[code] for code in codes), self.coverage * sum(self.enrollment[code] for code in codes)


def program(data: StudyData, facts: Facts) -> Program | None:
    """Read the program's figures from the facts and the enrollment of its first year; None where none are declared.

    Raises
    ------
    BadInput
        If a figure that `money:` of the state names is missing from the facts.
    """
    money = data.state.money
    if money is None:
        return None
    rows = data.attendance
    first, edition = min(data.starts.values()), data.state.usual("editions")
    first_year = rows[(rows["year"] == first) & (rows["edition"] == edition) & (rows["group"] == "all")]
    return Program(
        served=_figure(facts, money.served),
        launch_dollars=_figure(facts, money.launch) * MILLION,
        grants=_grants(facts),
        published=_published(data, facts),
        ingredients=_ingredients(facts, money),
        enrollment={
            str(code): float(n) for code, n in zip(first_year["district_code"], first_year["students"], strict=True)
        },
    )


def _figure(facts: Facts, what: str) -> float:
    value = facts.served.loc[facts.served["what"] == what, "value"]
    if len(value) != 1:
        raise bad_value("figure of the program", what, facts.served["what"], "served.csv beside the starts holds them.")
    return float(value.iloc[0])


def _grants(facts: Facts) -> tuple[Grant, ...]:
    columns = (facts.funding[name] for name in ("area", "district_codes", "million_usd", "source"))
    return tuple(
        Grant(area=area, codes=tuple(str(codes).split()), dollars=MILLION * float(money), source=source)
        for area, codes, money, source in zip(*columns, strict=True)
    )


def _published(data: StudyData, facts: Facts) -> tuple[Published, ...]:
    short = data.districts["district"].map(data.state.unit.short)
    code_of = dict(zip(short, data.districts["district_code"], strict=True))
    frame = facts.published_effects
    columns = (frame[name] for name in ("who", "months_after_first_visit", "effect_pp"))
    return tuple(
        Published(f"{who}, month {months}", float(effect), code_of.get(who))
        for who, months, effect in zip(*columns, strict=True)
    )


def _ingredients(facts: Facts, money: Money) -> tuple[Ingredient, ...]:
    served, parts = _figure(facts, money.served), []
    for item in money.ingredients:
        dollars = _figure(facts, item.figure) * MILLION if item.figure else None
        why = item.why if dollars is None else item.why.replace("{per_student}", f"${dollars / served:,.0f}")
        parts.append(Ingredient(item.name, dollars, item.counted, why))
    return tuple(parts)

"""The program's published figures in the shape that `power` and `cost` take: from the facts' frames to records."""

from collections.abc import Sequence
from dataclasses import dataclass

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.data import Facts, StudyData
from leapstudy.data.names import program_name, unit_noun
from leapstudy.data.state import Money
from leapstudy.evidence.cost import Grant, Ingredient, split_grants

MILLION = 1e6


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

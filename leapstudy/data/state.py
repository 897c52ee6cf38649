"""What is true of one state and its program, as data: `params/state.yml`, checked in words and then frozen.

The package carries no state. Names, nouns, groups, outcomes, contrasts, editions and exclusions are read from here, so
that another state is another file and no other code.
"""

import re
from calendar import month_name
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.files import modified
from leapstudy.core.names import Role
from leapstudy.core.parameter_file import Part, faults_of, read_mapping
from leapstudy.data.tables import Code, NonEmpty, PublishedTable, SchoolYear, named

FILE = "state.yml"
CHRONIC = "chronic_absence"
Lang = Annotated[str, Field(pattern=r"^(en|es)$")]
LANGUAGES = ("en", "es")


def _in_every_language(words: dict[str, Any]) -> dict[str, Any]:
    """Refuse words that a page in one of the languages would lack."""
    if missing := [lang for lang in LANGUAGES if lang not in words]:
        raise ValueError(f"It is missing in {', '.join(missing)}: pages come in {' and '.join(LANGUAGES)}.")
    return words


# One and several, by language.
Noun = Annotated[dict[Lang, tuple[NonEmpty, NonEmpty]], AfterValidator(_in_every_language)]


class Place(Part):
    """The state, whose own row of figures stands beside those of its units."""

    code: NonEmpty
    name: NonEmpty


class AtLeast(Part):
    """A lower bound, itself included."""

    at_least: float


class AtMost(Part):
    """An upper bound, itself included."""

    at_most: float


# A rule over a table of units: column -> value, list of values, or bound.
Where = dict[str, bool | float | str | tuple[str, ...] | AtLeast | AtMost]


class Lottery(Part):
    """Lots that decided who starts, and when: `draw` is the list of `leapstudy draw`, in `params/`. Of lots drawn
    elsewhere `where` is the rule of the units that took part, and `within` are columns of the table of units within
    whose values lots were drawn.
    """

    where: Where = Field(default_factory=dict)
    within: tuple[NonEmpty, ...] = ()
    draw: Annotated[str, Field(pattern=r"^(draw_\d+\.csv)?$")] = ""
    source: NonEmpty

    @model_validator(mode="after")
    def _list_says_all(self) -> Self:
        if self.draw and (self.where or self.within):
            raise ValueError(
                f"the list {self.draw} says who took part and within what lots: leave out where and within"
            )
        return self


class Program(Part):
    """What was done, and where it is written down who had it when (`starts`, below `data/raw/`).

    `visits` is what was done as a noun, and `done` by language, as a sentence says it after the program's name.
    `research` names what it rests on, which the lowest tier of evidence asks for.
    """

    name: NonEmpty
    short: NonEmpty
    visits: NonEmpty
    done: dict[Lang, NonEmpty] = Field(default_factory=dict)
    research: str = ""
    announced: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
    starts: NonEmpty
    clean_until: SchoolYear
    invented: bool = False
    lottery: Lottery | None = None

    def deed(self, lang: str) -> str:
        """Return what it did, to go on after its name in a language; that it began, where nothing is said."""
        return {"en": "began", "es": "comenzó", **self.done}[lang]

    @property
    def begun(self) -> str:
        """Month and year in which it was announced, in words (``April 2021``)."""
        year, month = self.announced.split("-")
        return f"{month_name[int(month)]} {year}"


class Trait(Part):
    """What was known of a unit before the program: a column of the table of units, as it is or as its logarithm.

    `adjust` marks the traits that regression adjustment uses; all of them say how alike units are.
    """

    column: NonEmpty
    log: bool = False
    adjust: bool = False
    words: NonEmpty


class Ingredient(Part):
    """One part of the program's cost: the row of `served.csv` that holds it, and whether it is counted, and why."""

    name: NonEmpty
    figure: str = ""
    counted: bool = False
    why: NonEmpty


class Money(Part):
    """What is published of money and visits; `served` and `launch` are rows of `served.csv` beside the starts."""

    served: NonEmpty
    launch: NonEmpty
    ingredients: tuple[Ingredient, ...] = ()


class KnownAs(Part):
    """What everybody calls a unit whose official name is another."""

    official: NonEmpty
    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name: NonEmpty


class Parent(Part):
    """The larger unit that each unit belongs to, such as a school's district: a column of the table of units."""

    column: NonEmpty
    noun: Noun


class Unit(Part):
    """Who has a start: districts or schools, how they are called and coded, and the table that lists them.

    `students` is the column of its enrollment before the program, `listed` are columns that a list of units shows, with
    their headings, `traits` what was known of units before the program. `hidden` says whether a treated unit
    without published figures is left out and named, or the question refused.
    """

    table: NonEmpty
    noun: Noun
    code: Code
    strip: str = ""
    parent: Parent | None = None
    students: NonEmpty = "students"
    hidden: Literal["refuse", "leave out"] = "refuse"
    listed: dict[NonEmpty, NonEmpty] = Field(default_factory=dict)
    traits: dict[NonEmpty, Trait] = Field(default_factory=dict)
    known_as: dict[str, KnownAs] = Field(default_factory=dict)

    @property
    def one(self) -> str:
        """What English sentences call one unit (``school``)."""
        return self.noun["en"][0]

    @property
    def many(self) -> str:
        """What English sentences call several units (``schools``)."""
        return self.noun["en"][1]

    def short(self, name: str) -> str:
        """Return a unit's name as people say it, with what follows it (`", student track"`)."""
        place, comma, rest = name.partition(", ")
        place = place.removesuffix(self.strip) if self.strip else place
        return (
            next((name_pair.name for name_pair in self.known_as.values() if name_pair.official == place), place)
            + comma
            + rest
        )


class Calendar(Part):
    """How files write school years, and which years the study does not use."""

    written: tuple[NonEmpty, ...]
    gap: tuple[SchoolYear, ...] = ()
    caveats: dict[SchoolYear, str] = Field(default_factory=dict)

    def read(self, label: str) -> str:
        """Return a school year as ``2007-08`` from any form that the files are said to use; empty where it is none.

        A single year (``2020``) is the spring in which the school year ends.
        """
        shapes = {re.sub(r"\d", "0", form) for form in self.written}
        if re.sub(r"\d", "0", label) not in shapes:
            return ""
        first = int(label[:4]) - (1 if len(label) == 4 else 0)
        legal = {school_year(first), f"{first}-{first + 1}", str(first + 1)}
        return school_year(first) if label in legal else ""

    def shift(self, start: str, offset: int) -> str:
        """Return the school year `offset` used years after `start`; years of the gap do not count."""
        year, step = int(start[:4]), 1 if offset > 0 else -1
        for _ in range(abs(offset)):
            year += step
            while school_year(year) in self.gap:
                year += step
        return school_year(year)


class Edition(Part):
    """One release of the state's figures: its tables by what they hold, and the years that were not final in it."""

    source: NonEmpty
    attendance: NonEmpty
    chronic: str = ""
    preliminary: dict[SchoolYear, str] = Field(default_factory=dict)


class Rule(Part):
    """Who counts as chronically absent."""

    percent: Annotated[float, Field(gt=0, lt=100)]
    min_days: Annotated[int, Field(ge=0)]
    grades: NonEmpty


class Series(Part):
    """One table of a long series, below `data/raw/`: its unit, and either its years as columns or a column of values.

    `columns` is a pattern of the columns that are years; without it `value` is the column of figures. `where` keeps the
    rows that have these values.
    """

    file: NonEmpty
    kind: Literal["percent", "fraction"]
    columns: str = ""
    value: str = ""
    where: dict[str, str] = Field(default_factory=dict)
    source: NonEmpty


class LongOutcome(Part):
    """An outcome over more years than the editions have: its tables, the years before, and the years that are only
    shown.

    `before` are the first and last school year of the time before the program that contrasts start from; `shown` are
    years that are drawn and never used, each with its reason.
    """

    series: Annotated[tuple[Series, ...], Field(min_length=1)]
    before: tuple[SchoolYear, SchoolYear]
    shown: dict[SchoolYear, NonEmpty] = Field(default_factory=dict)
    later: NonEmpty


class Measure(Part):
    """In what an outcome is counted that is no share of students or days: a mean, or so many for each 100 students.

    `unit` is one and several of it by language, `small` an effect that would not matter, and `wide` one that no program
    is known to have: an interval with both signs of it inside rules out nothing.
    """

    unit: Noun
    small: Annotated[float, Field(gt=0)]
    wide: Annotated[float, Field(gt=0)]


class Outcome(Part):
    """What is measured, and which direction is good; without a `source` of its own it has the edition's.

    `table` names its table where it is neither the edition's attendance of a `group` nor its chronic absence: `column`
    is there as it is, or for each `per` of what `divided_by` counts. A number that is no share takes a `measure`, and
    `plain` says it by language. `reference` is the base year of its event study, in used years since the start. It is
    refused where more than `refuse_if_bounded` of its figures are published as bounds.
    """

    words: NonEmpty
    better: Literal["up", "down"]
    group: str = ""
    table: str = ""
    column: str = ""
    divided_by: str = ""
    per: Annotated[float, Field(gt=0)] = 100
    measure: Measure | None = None
    plain: dict[Lang, NonEmpty] = Field(default_factory=dict)
    source: str = ""
    rule: Rule | None = None
    long: LongOutcome | None = None
    reference: Annotated[int, Field(lt=0)] = -1
    refuse_if_bounded: Annotated[float, Field(ge=0, le=1)] = 0.05

    @property
    def of_part(self) -> bool:
        """Whether it counts a group of students only, such as those with high needs."""
        return self.group not in ("", "all")

    @property
    def in_days(self) -> bool:
        """Whether it is attendance, of which a percentage point is so many days of a school year."""
        return bool(self.group) and not self.table

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        own = [name for name in ("divided_by", "measure", "plain") if getattr(self, name)]
        if own and not self.table:
            raise ValueError(f"`{own[0]}` is of an outcome with a table of its own: name its `table` and `column`.")
        if self.in_days and self.better == "down":
            raise ValueError("A `group` alone is attendance of that group, which is better `up`: name a `table`.")
        if self.table and not self.column:
            raise ValueError(f"Which column of {self.table} holds it? Name it as `column`.")
        if self.table:
            _in_every_language(self.plain)
        if self.measure and self.long:
            raise ValueError("`long` is of shares: its tables hold percents or fractions. Leave out `measure` or it.")
        return self


class GroupWords(Part):
    """A comparison group in a sentence, in a legend, and on the plain page by language."""

    long: NonEmpty
    short: NonEmpty
    plain: Annotated[dict[Lang, NonEmpty], AfterValidator(_in_every_language)]


class Group(Part):
    """A comparison group as a rule over the table of units; see `Where`.

    `both_sides` applies the rule to treated units too; `by` names what it asks for, in the reason for having no peer.
    """

    where: Where
    words: GroupWords
    why: NonEmpty
    by: str = ""
    both_sides: bool = False


class ContrastRule(Part):
    """A before and an after, in used school years since a unit's own start (0 = the first year of the program)."""

    pre: Annotated[tuple[int, ...], Field(min_length=1)]
    post: Annotated[tuple[int, ...], Field(min_length=1)]
    role: Role

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if max(self.pre) >= min(self.post) or list(self.pre + self.post) != sorted({*self.pre, *self.post}):
            raise ValueError("Years must be in order, each once, and every year of `pre` before every year of `post`.")
        if (max(self.post) < 0) != (self.role == "placebo") or max(self.pre) >= 0:
            raise ValueError("`pre` lies before the start (below 0), and `post` does in a placebo and only there.")
        return self


class UnitYear(Part):
    """One unit in one school year, and what is the matter with its figure."""

    unit: NonEmpty
    year: SchoolYear
    why: NonEmpty


class ClaimTold(Part):
    """What published figures say of a claim, whether they carry it as worded, and the verdict.

    In `figures` a name in braces stands for a value of `served.csv`: ``{students visited:,.0f}``.
    """

    figures: NonEmpty
    holds: bool
    verdict: NonEmpty


class Claims(Part):
    """Shares of the whole state, in percent, as news coverage gives them: year -> share, the last two being the peak
    and the year after; `before` is the last year of the time that they are held against.

    The first three claims are of these shares; what figures say of the `others` follows in the order of the claims.
    """

    said: Annotated[dict[SchoolYear, float], Field(min_length=3, max_length=3)]
    before: SchoolYear
    others: tuple[ClaimTold, ...] = ()


class State(Part):
    """Everything that is true of one study; see the docstring of the module."""

    format: Literal[1]
    study: NonEmpty
    state: Place
    program: Program
    unit: Unit
    calendar: Calendar
    tables: Annotated[dict[NonEmpty, PublishedTable], Field(min_length=1)]
    editions: Annotated[dict[NonEmpty, Edition], Field(min_length=1)]
    outcomes: Annotated[dict[NonEmpty, Outcome], Field(min_length=1)]
    groups: Annotated[dict[NonEmpty, Group], Field(min_length=1)]
    contrasts: Annotated[dict[NonEmpty, ContrastRule], Field(min_length=1)]
    exclusions: tuple[UnitYear, ...] = ()
    breaks: tuple[UnitYear, ...] = ()
    money: Money | None = None
    claims: Claims | None = None
    notes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    articles: tuple[str, ...] = ()

    @property
    def waiting(self) -> str:
        """The group of those who wait by the list of a draw, which a study that names such a list is compared with."""
        by_lot = self.program.lottery is not None and self.program.lottery.draw
        return next((name for name, item in self.groups.items() if by_lot and item.where == {"in_draw": True}), "")

    def usual(self, part: Literal["groups", "contrasts", "editions", "outcomes"]) -> str:
        """Return the first name that a part declares: of contrasts the first with the role ``main``."""
        names = [name for name, item in getattr(self, part).items() if getattr(item, "role", "main") == "main"]
        return next(iter(names or getattr(self, part)))

    @model_validator(mode="before")
    @classmethod
    def _tables_know_their_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("tables"), dict):
            tables = values["tables"]
            return {**values, "tables": dict(zip(tables, named(tables), strict=True))}
        return values

    @model_validator(mode="after")
    def _tables_exist(self) -> Self:
        names = [
            self.unit.table,
            *(name for item in self.editions.values() for name in (item.attendance, item.chronic)),
        ]
        for name in names:
            if name and name not in self.tables:
                raise ValueError(str(bad_value("table", name, self.tables)))
        return self

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        units = self.tables.get(self.unit.table)
        columns = [column.name for column in units.columns] if units else []
        traits = [trait.column for trait in self.unit.traits.values()]
        lots, parent = self.program.lottery, self.unit.parent
        lot_columns = [*lots.within, *lots.where] if lots else []
        names = [self.unit.students, *self.unit.listed, *traits, *lot_columns, *([parent.column] if parent else [])]
        for name in names if units else []:
            if name not in columns:
                raise ValueError(str(bad_value(f"column of the table {self.unit.table}", name, columns)))
        return self

    @model_validator(mode="after")
    def _outcomes_are_measured(self) -> Self:
        odd = [name for name, item in self.outcomes.items() if not (item.group or item.table) and name != CHRONIC]
        if odd:
            raise ValueError(
                f"Outcomes {odd} are not said to be in any table. Name `table` and `column`; only the edition's "
                f"attendance of a student group (`group: all`) and {CHRONIC} go without."
            )
        for name, item in self.outcomes.items():
            if item.table and (fault := _fault_of_table(item, self.tables)):
                raise ValueError(f"The outcome {name!r}: {fault}")
        return self

    @model_validator(mode="after")
    def _codes_have_the_form(self) -> Self:
        codes = [item.unit for item in self.exclusions + self.breaks] + list(self.unit.known_as)
        odd = [code for code in codes if not re.fullmatch(self.unit.code.pattern, code)]
        if odd:
            raise ValueError(f"Codes {odd} do not have the form {self.unit.code.pattern!r}.")
        return self


def _fault_of_table(outcome: Outcome, tables: Mapping[str, PublishedTable]) -> str:
    """Return what is wrong with the table that an outcome names; empty where nothing is."""
    if outcome.table not in tables:
        return str(bad_value("table", outcome.table, tables))
    table = tables[outcome.table]
    kinds = {column.name: column.kind for column in table.columns}
    for name in filter(None, (outcome.column, outcome.divided_by)):
        if name not in kinds and not (table.add_up and name == table.add_up.to):
            return str(bad_value(f"column of {outcome.table}", name, kinds))
    if table.years or "year" not in kinds.values():
        return f"the table {outcome.table} needs a column of kind year, one row a unit and year."
    has_groups = "group" in kinds or "group" in table.constant
    if has_groups != bool(outcome.group):
        return (
            f"say of which student group, `group: all`: {outcome.table} has several."
            if has_groups
            else (f"{outcome.table} has no column `group`; leave out `group: {outcome.group}`.")
        )
    return _fault_of_kind(outcome, table, kinds)


def _fault_of_kind(outcome: Outcome, table: PublishedTable, kinds: Mapping[str, str]) -> str:
    if table.add_up and (outcome.column != table.add_up.to or outcome.divided_by or outcome.measure):
        return f"{outcome.table} adds up rows to {table.add_up.to!r}, a percent: that is the only column it can have."
    if table.add_up:
        return ""
    kind_of = {name: kinds[name] for name in (outcome.column, outcome.divided_by) if name}
    legal = ("count", "number") if outcome.divided_by else ("fraction", "percent", "count", "number")
    if odd := [name for name, kind in kind_of.items() if kind not in legal]:
        return f"the column {odd[0]!r} is of kind {kinds[odd[0]]}. Legal: {', '.join(legal)}."
    if outcome.divided_by:
        return "" if outcome.measure or outcome.per == 100 else "`per` is 100 for a share; any other takes a `measure`."
    share = kinds[outcome.column] in ("fraction", "percent")
    if share == bool(outcome.measure):
        return (
            "a fraction or a percent has no `measure`." if share else "a number takes a `measure`: unit, small, wide."
        )
    return ""


def school_year(first: int) -> str:
    """Return the school year that begins in the fall of `first`, as ``2007-08``."""
    return f"{first}-{(first + 1) % 100:02d}"


def read_state(path: Path) -> State:
    """Read and check one `state.yml`.

    Raises
    ------
    BadInput
        If it is missing or anything in it is not legal; every fault is named, with the legal keys.
    """
    state, faults = checked_state(path)
    if state is None:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise BadInput(f"{path.name} has {count}:\n" + "\n".join(f"- {where}: {fault}" for where, fault in faults))
    return state


def checked_state(path: Path) -> tuple[State | None, list[tuple[str, str]]]:
    """Return the state, or None and every fault with its place in the file (``program.announced``).

    Raises
    ------
    BadInput
        If the file is missing or no mapping.
    """
    if not path.is_file():
        raise BadInput(f"{path.name} is missing in {path.parent.name}/. It says what is true of the state; restore it.")
    try:
        return State.model_validate(read_mapping(path)), []
    except ValidationError as error:
        return None, faults_of(error, State)


def load_state() -> State:
    """Return the workspace's own `params/state.yml`, read again only where the file has changed."""
    path = paths.inside(paths.params(), FILE)
    return _cached(path, modified(path))


@cache
def _cached(path: Path, _modified: int) -> State:
    return read_state(path)

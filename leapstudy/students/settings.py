"""The parameters of the student track, typed; `params/students.yml` gives each its unit and reason."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.files import sha256_bytes, sha256_file
from leapstudy.core.names import SIMULATION, check_engine
from leapstudy.core.parameter_file import Part, Seed, read_mapping, read_part
from leapstudy.core.phrases import counted
from leapstudy.students import contract
from leapstudy.students.contract import Reading
from leapstudy.students.disclosure import RESERVED

COLUMNS = tuple(dict.fromkeys(name for table in contract.TABLES for name in table.names))
# Columns whose own values may be translated under `values:`.
TRANSLATED = ("grade", "status", "type", "high_needs", "completed", "result", "outcome")
OWN_FIRST = "Write it as `column: {own value: legal value}`."


def _support(name: str) -> str:
    """Return a support as cells of a log are read: in small letters, one word."""
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    if not plain or re.search("[;,]", plain) or plain in RESERVED:
        raise ValueError(
            f"{name!r} cannot name a support: it is empty, has a comma or a semicolon, or is one of the names ("
            f"{', '.join(RESERVED)}) of counts; write another word, here and in the log"
        )
    return plain


def _one_meaning(name: str, pairs: Mapping[str, str] | Mapping[str, float]) -> None:
    """Refuse two spellings of one value that mean different things: cells are read whatever their capitals."""
    first: dict[str, tuple[str, str | float]] = {}
    for own, meaning in pairs.items():
        form, sense = first.setdefault(contract.as_found(own), (own, meaning))
        if contract.as_found(str(sense)) != contract.as_found(str(meaning)):
            raise ValueError(
                f"{name} gives {form!r} the meaning {sense} and {own!r} the meaning {meaning}; capital letters and "
                "blanks make no difference there, so keep one of the two"
            )


def _zone(name: str) -> str:
    """Return a time zone that there is, or nothing."""
    if name and name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; write one such as America/New_York")
    return name


def _memory(amount: str) -> str:
    """Return an amount of memory as an engine takes it; here, since the SIMULATED state's engine starts in a run."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:[KMGT](?:i?B)?|%)", amount.strip(), re.IGNORECASE)
    if not found or not float(found[1]):
        raise ValueError(f"{amount!r} is no amount of memory; write it as 500MB or 2GB")
    return amount


Support = Annotated[str, AfterValidator(_support)]
# What was drawn by lot.
Level = Literal["student", "school", "district"]


class Rollout(Part):
    """What was drawn and promised before the first visit; nothing by default."""

    level: Level = "student"
    starts: dict[str, str] = Field(default_factory=dict)
    first: date | None = None
    last: date | None = None
    referred: int | None = Field(default=None, ge=1)
    met: float | None = Field(default=None, gt=0, le=1)
    visits: float | None = Field(default=None, gt=0)
    outcomes_from: date | None = None
    promised: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.last and self.last < self.first:
            raise ValueError("last is before first")
        if self.outcomes_from and self.first and self.outcomes_from < self.first:
            raise ValueError("outcomes_from is before the first day of visits")
        return self


class StudentSettings(Part):
    """Where the student files are and how visited students are compared."""

    input: str
    visits: str
    roster: str
    outcomes: str = ""
    shape: Literal[""] | contract.Shape
    columns: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]]
    source: str = "student files, not published"
    district: str = ""
    district_names: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    categories: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    supports: tuple[Support, ...] = contract.SUPPORTS
    time_zone: Annotated[str, AfterValidator(_zone)] = ""
    exit_date: contract.ExitDate = "last day"
    draw: str = ""
    rollout: Rollout = Field(default_factory=Rollout)
    max_unmatched: float = Field(default=0.1, ge=0, le=1)
    earlier_answers: Literal["published", "unpublished"] = "published"
    engine: str = "duckdb"
    memory_limit: Annotated[str, AfterValidator(_memory)]
    min_comparison: int = Field(ge=1)
    early: tuple[int, int]
    months_after: int = Field(ge=1, le=24)
    seed: Seed

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.visits and not self.input:
            raise ValueError("visits need input: a visit log alone says nothing of attendance")
        if not self.early[0] >= self.early[1] >= 1:
            raise ValueError("early needs two whole numbers of months before the visit, the earlier one first: [6, 4]")
        if len(set(self.supports)) < len(self.supports):
            raise ValueError("supports name one twice")
        for name, pairs in self.values.items():
            _one_meaning(name, pairs)
        _one_meaning("category", self.categories)
        return self

    @property
    def simulated(self) -> bool:
        """Whether the default input is used, the SIMULATED state."""
        return not self.input

    @property
    def reading(self) -> Reading:
        """How the files are to be read."""
        constants = {"district_code": self.district} if self.district else {}
        names = ("columns", "values", "categories", "supports", "time_zone", "exit_date", "district_names")
        return Reading(constants=constants, **{name: getattr(self, name) for name in names})


def load_settings(path: Path | None = None) -> StudentSettings:
    """Read the parameters of the student track; default `params/students.yml`.

    Raises
    ------
    BadInput
        If the file is missing or no YAML, a key or column is unknown, or a value is not legal.
    """
    source = path or paths.params() / "students.yml"
    settings, name = read_part(source, StudentSettings), source.name
    for column in settings.columns:
        if column not in COLUMNS:
            raise bad_value(f"column under columns: in {name}", column, COLUMNS, "Write it as `name here: name there`.")
    for column in settings.values:
        if column not in TRANSLATED:
            raise bad_value(f"column under values: in {name}", column, TRANSLATED, OWN_FIRST)
        legal = contract.meanings(column)
        for meaning in settings.values[column].values():
            read_as = meaning.zfill(2) if column == "grade" and meaning.isdigit() else re.sub(r"[\s-]+", "_", meaning)
            if read_as.lower() not in {one.lower() for one in legal}:
                raise bad_value(f"meaning of a {column} under values: in {name}", meaning, legal, OWN_FIRST)
    check_engine(settings.engine)
    return settings


def simulated_districts() -> dict[str, Any]:
    """Return code -> students of the SIMULATED state, as its file has them.

    Raises
    ------
    BadInput
        If there are none, or a code is no text.
    """
    content = read_mapping(paths.params() / SIMULATION).get("districts")
    legal = 'codes in quotes as the study has them, each with its students: `"CODE": 600`.'
    if not isinstance(content, dict) or not content:
        raise BadInput(f"`districts:` of params/{SIMULATION} is {content!r:.40} and needs {legal}")
    for code in content:
        if not isinstance(code, str):
            raise BadInput(
                f"`districts:` of params/{SIMULATION} has a code without quotes, read as {code}; write {legal}"
            )
    return content


def require_own_simulation() -> None:
    """Raise `BadInput` where the SIMULATED state is of other units than the study's: `new` copies one."""
    from leapstudy.data import kept_study  # reads every table, which what only reads the parameters needs not

    strangers = sorted(set(simulated_districts()) - set(kept_study(started=False).districts["district_code"]))
    if strangers:
        raise BadInput(
            f"The SIMULATED state of params/{SIMULATION} has {counted(len(strangers), 'district')} that this study "
            f"does not have ({strangers[0]}, ...). Name student files of your own in params/students.yml, or codes of "
            f"your own under `districts:` of params/{SIMULATION}; figures alone need neither (--track public)."
        )


def input_files(settings: StudentSettings, *, before: bool = False) -> dict[str, Path]:
    """Return the files that the study reads, by role; the SIMULATED state is made first where it is not there.

    Raises
    ------
    BadInput
        Without a visit log, unless the program is still to come (`before`).
    """
    if settings.simulated:
        from leapstudy.students.simulate import default_simulation  # what only reads the parameters needs no generator

        require_own_simulation()
        simulation = default_simulation()
        return {"attendance": simulation.panel, "visits": simulation.visits, "outcomes": simulation.outcomes}
    if not settings.visits and not before:
        raise BadInput(
            "params/students.yml names attendance and no visit log, which says who was referred, tried and met. Give it"
            " under `visits:`; before a program starts, leapstudy design and draw do without."
        )
    roles = {
        "attendance": settings.input,
        "visits": settings.visits,
        "roster": settings.roster,
        "outcomes": settings.outcomes,
    }
    return {role: paths.named(text) for role, text in roles.items() if text}


def input_hashes(settings: StudentSettings | None = None) -> dict[str, str]:
    """Return name -> SHA-256 of everything that the student track is made from: parameters, and the files themselves.

    The SIMULATED state stands for itself by its parameters: equal parameters give equal rows.
    """
    choices = settings or load_settings()
    hashes = {"params/students.yml": sha256_bytes(choices.model_dump_json().encode())}
    if choices.simulated:
        return hashes | {f"params/{SIMULATION}": sha256_file(paths.params() / SIMULATION)}
    from leapstudy.students.files import find  # imports pyarrow

    paths_of = input_files(choices, before=True) | ({"draw": paths.named(choices.draw)} if choices.draw else {})
    files = {role: find(path).paths for role, path in paths_of.items()}
    return hashes | {
        f"{role} {number}": sha256_file(file)
        for role, files_of_role in files.items()
        for number, file in enumerate(files_of_role, 1)
    }

"""Districts by slug, name or code, and the register of who had the program from when to when."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.names import WAITING
from leapstudy.core.phrases import capital
from leapstudy.data.raw import as_text, read_bytes
from leapstudy.data.state import AtLeast, AtMost, State, Unit, Where, load_state, school_year


@dataclass(frozen=True, slots=True)
class District:
    """One district: state code (text), official name, and the slug that files and commands use."""

    code: str
    name: str
    slug: str


def slug_of(code: str, name: str, unit: Unit) -> str:
    """Return the slug of a unit: its name without what every name ends with, in lower case with hyphens.

    Letters lose their accents; a name without a letter of the Latin alphabet gives way to the code.
    """
    if code in unit.known_as:
        return unit.known_as[code].slug
    short = name.removesuffix(unit.strip) if unit.strip else name
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", short) if not unicodedata.combining(letter))
    slug, by_code = (re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") for text in (plain, code))
    return slug or by_code


def add_slugs(districts: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Return the table with a `slug` column; two districts with one slug are an error."""
    slugs = [
        slug_of(code, name, unit) for code, name in zip(districts["district_code"], districts["district"], strict=True)
    ]
    out = districts.assign(slug=pd.Series(slugs, index=districts.index, dtype="str"))
    twice = out.loc[out["slug"].duplicated(keep=False), ["district_code", "slug"]]
    if len(twice):
        raise BadInput(
            f"Two {unit.many} share a slug: {twice.to_dict('records')}. Name one of them under `known_as` in "
            f"params/state.yml."
        )
    return out


def find_district(districts: pd.DataFrame, key: object) -> District:
    """Return the district that `key` names.

    Parameters
    ----------
    districts
        `StudyData.districts`.
    key
        Slug (`east-hartford`), name (with or without what every name ends with) or code.

    Raises
    ------
    BadInput
        If nothing has that name; with the nearest names, and with the full code where only leading zeros are missing.
    """
    text = str(key).strip()
    codes = set(districts["district_code"])
    state = load_state()
    unit = state.unit
    width = len(unit.code.example)
    if text.isdigit() and text not in codes and text.zfill(width) in codes:
        raise BadInput(
            f"{capital(unit.one)} code {key!r} has lost its leading zeros. Did you mean {text.zfill(width)!r}? "
            f"Codes are text of {width} characters: write them in quotes."
        )
    short = districts["district"].map(unit.short).str.casefold()
    hit = (districts["district_code"] == text) | (districts["slug"] == text.casefold())
    hit |= (districts["district"].str.casefold() == text.casefold()) | (short == text.casefold())
    if hit.sum() != 1:
        treated = sorted(districts.loc[districts["treated"], "slug"])
        near = bad_value(unit.one, key, districts["slug"])
        suggestion = str(near).split(" Legal:")[0]
        raise BadInput(
            f"{suggestion} Legal: the slug, name or code of one {unit.one}; {state.program.short} {unit.many} "
            f"are {', '.join(treated)}. `leapstudy list` shows all."
        )
    row = districts[hit].iloc[0]
    return District(row["district_code"], row["district"], row["slug"])


def treated_districts(districts: pd.DataFrame) -> list[District]:
    """Return the treated districts, by slug."""
    rows = districts[districts["treated"]].sort_values("slug")
    return [
        District(code, name, slug)
        for code, name, slug in zip(rows["district_code"], rows["district"], rows["slug"], strict=True)
    ]


def treated_side(districts: pd.DataFrame, *keys: object) -> list[str]:
    """Return the codes of the districts with these slugs, names or codes; of all treated ones, by slug, without any."""
    return [item.code for item in [find_district(districts, key) for key in keys] or treated_districts(districts)]


def rule_mask(units: pd.DataFrame, where: Where) -> pd.Series:
    """Return which units meet a rule; a unit without the figure asked for does not."""
    mask = pd.Series(True, index=units.index)
    for column, condition in where.items():
        if column not in units:
            raise bad_value("column in a rule over units", column, units.columns)
        cells = units[column]
        if isinstance(condition, AtLeast):
            mask &= (cells >= condition.at_least).fillna(False)
        elif isinstance(condition, AtMost):
            mask &= (cells <= condition.at_most).fillna(False)
        else:
            mask &= cells.isin(condition if isinstance(condition, tuple) else [condition])
    return mask


COLUMNS = ("unit_code", "start", "end", "source")
LIST_COLUMNS = ("unit", "stratum", "phase")
NO_START = (
    "no unit has a start; write one row a unit. Before a program starts there is none, and `leapstudy design`, `plan`, "
    "`draw`, `watch` and `run --track students` need none"
)


@dataclass(frozen=True, slots=True)
class Start:
    """One unit's first school year with the program, its last one where it ended, and where that is written."""

    code: str
    start: str
    end: str
    source: str


def is_school_year(text: str) -> bool:
    """Return whether a text is a school year.

    Examples
    --------
    >>> is_school_year("2009-10"), is_school_year("2009-09")
    (True, False)
    """
    return bool(re.fullmatch(r"\d{4}-\d{2}", text)) and text == school_year(int(text[:4]))


def read_register(state: State, raw: Path | None = None) -> tuple[Start, ...]:
    """Return the starts, sorted by year and code; none before a program starts.

    Raises
    ------
    BadInput
        If the file is missing, was changed, or has a row without a legal code, start, end or source; all are named.
    """
    content, _ = read_bytes(raw or paths.raw(), state.program.starts)
    return starts_of(as_text(content, state.program.starts), state)


def starts_of(rows: pd.DataFrame, state: State) -> tuple[Start, ...]:
    """Return the starts of a register's text, sorted by year and code; see `read_register`."""
    starts, faults = checked_starts(rows, state)
    if faults:
        raise BadInput(f"{state.program.starts}: {'; '.join(faults)}.")
    return starts


def checked_starts(rows: pd.DataFrame, state: State) -> tuple[tuple[Start, ...], list[str]]:
    """Return the starts, sorted by year and code, and everything that is wrong with them."""
    if tuple(rows.columns) != COLUMNS:
        return (), [f"it has the columns {list(rows.columns)}. Legal: {', '.join(COLUMNS)}"]
    starts = [Start(*(str(cell).strip() for cell in row)) for row in rows.itertuples(index=False)]
    faults = [fault for line, item in enumerate(starts, 2) for fault in _faults(line, item, state)]
    codes = [item.code for item in starts]
    faults += [f"{code} has more than one start" for code in sorted({code for code in codes if codes.count(code) > 1})]
    return tuple(sorted(starts, key=lambda item: (item.start, item.code))), faults


def _faults(line: int, item: Start, state: State) -> list[str]:
    unit = state.unit.code
    checks = (
        (re.fullmatch(unit.pattern, item.code), f"code {item.code!r} does not have the form of {unit.example!r}"),
        (is_school_year(item.start), f"start {item.start!r} is no school year like '2009-10'"),
        (item.start not in state.calendar.gap, f"start {item.start!r} is a year that the study does not use"),
        (not item.end or is_school_year(item.end), f"end {item.end!r} is neither blank nor a school year"),
        (not item.end or item.end >= item.start, f"end {item.end!r} lies before the start {item.start!r}"),
        (item.source, "the source is blank; say where the start is written"),
    )
    return [f"line {line}: {fault}" for legal, fault in checks if not legal]


def lot_files(state: State) -> list[Path]:
    """Return the list of the draw that decided who starts; none where the study names none."""
    lottery = state.program.lottery
    return [path] if lottery and (path := paths.params() / lottery.draw).is_file() else []


def read_lots(state: State, codes: Collection[str], starts: Mapping[str, str], newest: str) -> dict[str, str]:
    """Return code -> stratum of the list that `program: lottery: draw:` names; empty where it names none.

    Raises
    ------
    BadInput
        If there is no such list, or starts are not those that it drew: an analysis of lots goes by the draw, whoever
        took it up. Units of a phase after the `newest` year of figures may have none yet.
    """
    lottery = state.program.lottery
    if lottery is None or not lottery.draw:
        return {}
    if not (files := lot_files(state)):
        raise BadInput(f"params/{lottery.draw}, which `program: lottery: draw:` of params/state.yml names, is no file.")
    rows = as_text(files[0].read_bytes(), lottery.draw)
    if missing := [name for name in LIST_COLUMNS if name not in rows]:
        raise BadInput(f"{lottery.draw} is no list of a draw: it lacks the columns {', '.join(missing)}.")
    if unknown := sorted(set(rows["unit"]) - set(codes)):
        raise BadInput(f"{lottery.draw} names {', '.join(unknown[:5])}, which the table of units does not have.")
    if twice := sorted(rows.loc[rows["unit"].duplicated(), "unit"]):
        raise BadInput(f"{lottery.draw} names {', '.join(twice[:5])} twice: no draw does.")
    phase_of = dict(zip(rows["unit"], rows["phase"], strict=True))
    # until figures reach a later phase its units wait, as those who drew none
    waits = {code for code, phase in phase_of.items() if code not in starts and (phase == WAITING or phase > newest)}
    if wrong := [code for code, phase in phase_of.items() if code not in waits and starts.get(code) != phase]:
        raise BadInput(
            f"{state.program.starts} gives {', '.join(wrong[:5])} another start than {lottery.draw} drew ({len(wrong)} "
            "in all). An analysis of lots goes by the draw, whoever took it up: "
            f"`leapstudy draw --starts params/{lottery.draw}` writes its starts."
        )
    return dict(zip(rows["unit"], rows["stratum"], strict=True))

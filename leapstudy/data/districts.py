"""Districts by slug, name or code, and the slug itself."""

import re
from dataclasses import dataclass

import pandas as pd

from leapstudy.core.errors import BadInput, bad_value
from leapstudy.data.state import AtLeast, AtMost, Unit, Where, load_state


@dataclass(frozen=True, slots=True)
class District:
    """One district: state code (text), official name, and the slug that files and commands use."""

    code: str
    name: str
    slug: str


def slug_of(code: str, name: str, unit: Unit) -> str:
    """Return the slug of a unit: its name without what every name ends with, in lower case with hyphens."""
    if code in unit.known_as:
        return unit.known_as[code].slug
    short = name.removesuffix(unit.strip) if unit.strip else name
    return re.sub(r"[^a-z0-9]+", "-", short.casefold()).strip("-")


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
            f"{unit.one.capitalize()} code {key!r} has lost its leading zeros. Did you mean {text.zfill(width)!r}? "
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


def rule_mask(units: pd.DataFrame, where: Where) -> pd.Series:
    """Return which units meet a rule; a unit without the figure asked for does not."""
    mask = pd.Series(True, index=units.index)
    for column, wanted in where.items():
        if column not in units:
            raise bad_value("column in a rule over units", column, units.columns)
        cells = units[column]
        if isinstance(wanted, AtLeast):
            mask &= (cells >= wanted.at_least).fillna(False)
        elif isinstance(wanted, AtMost):
            mask &= (cells <= wanted.at_most).fillna(False)
        else:
            mask &= cells.isin(wanted if isinstance(wanted, tuple) else [wanted])
    return mask

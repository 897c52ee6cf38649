"""An outcome over more school years than the editions have, joined from several published tables."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from leapstudy.core import paths
from leapstudy.core.cache import of_last
from leapstudy.core.errors import BadInput, bad_value
from leapstudy.core.files import modified
from leapstudy.data.raw import as_text, read_bytes
from leapstudy.data.state import LongOutcome, Series, State


@dataclass(frozen=True, slots=True)
class LongSeries:
    """One outcome by unit and school year.

    Attributes
    ----------
    outcome : str
    rates : DataFrame
        Percent; one row a unit (index: its code), one column a school year, in order; empty where nothing is published.
    whole_state : Series
        The state's own figures by school year, percent.
    aside : DataFrame
        unit_code, year, why: figures that are not used.
    rows_in : int
        Cells of the tables; each is in `rates`, in `whole_state`, blank, or in `aside`.
    hashes : dict
        File -> SHA-256.
    declared : LongOutcome
        What `params/state.yml` says of the outcome.
    """

    outcome: str
    rates: pd.DataFrame
    whole_state: pd.Series
    aside: pd.DataFrame
    rows_in: int
    hashes: dict[str, str]
    declared: LongOutcome

    @property
    def before(self) -> tuple[str, ...]:
        """The school years before the program that contrasts may start from, in order."""
        first, last = self.declared.before
        return tuple(year for year in self.rates.columns if first <= year <= last and year not in self.declared.shown)

    def after(self, start: str) -> tuple[str, ...]:
        """Return the used school years from the program's start on."""
        return tuple(year for year in self.rates.columns if year >= start and year not in self.declared.shown)


def load_long_series(state: State, outcome: str, units: pd.Index) -> LongSeries:
    """Read, verify and join the tables of a long outcome.

    Parameters
    ----------
    state
        What is true of the study; its exclusions are applied.
    outcome
        Name of an outcome that is declared `long`.
    units
        Codes of the study's units; figures of others are set aside.

    Raises
    ------
    BadInput
        If the outcome is not declared `long`, a file was changed, or a cell is no rate.
    """
    folder = paths.raw()
    stamps = tuple((str(file), modified(file)) for file in sorted(folder.rglob("*")))
    series = _read(state, outcome, tuple(units), folder, stamps)
    frames = {name: getattr(series, name).copy(deep=False) for name in ("rates", "whole_state", "aside")}
    return replace(series, **frames)


@of_last
def _read(state: State, outcome: str, units: tuple[str, ...], folder: Path, _changed: object) -> LongSeries:
    """Return the series, again only where a file has changed; see `load_long_series`."""
    declaration = state.outcomes[outcome].long if outcome in state.outcomes else None
    if declaration is None:
        legal = [name for name, item in state.outcomes.items() if item.long is not None]
        raise bad_value("outcome over many years", outcome, legal, "params/state.yml declares them under `long:`.")
    tables, hashes, codes = [], {}, set(units)
    for series in declaration.series:
        content, hashes[series.file] = read_bytes(folder, series.file)
        tables.append(_long(as_text(content, series.file), series))
    cells = pd.concat(tables, ignore_index=True)
    twice = cells[cells.duplicated(["unit_code", "year"], keep=False)]
    if len(twice):
        raise BadInput(f"Two tables give {outcome} for the same unit and year, {twice.iloc[0]['year']} for example.")
    published = cells.dropna(subset=["percent"])
    whole = published["unit_code"] == state.unit.code.whole_state
    reasons = {(item.unit, item.year): item.why for item in state.exclusions}
    why = [
        reasons.get(key, "" if key[0] in codes else "not in the table of units")
        for key in zip(published["unit_code"], published["year"], strict=True)
    ]
    published = published.assign(why=why)
    rows = published[~whole & (published["why"] == "")]
    rates = rows.pivot(index="unit_code", columns="year", values="percent").sort_index().sort_index(axis=1)
    own = published[whole].set_index("year")["percent"].sort_index()
    aside = published.loc[~whole & (published["why"] != ""), ["unit_code", "year", "why"]].reset_index(drop=True)
    return LongSeries(outcome, rates, own, aside, len(cells), hashes, declaration)


def _long(frame: pd.DataFrame, series: Series) -> pd.DataFrame:
    """Return unit_code, year, percent; a blank cell is empty."""
    for column, value in series.where.items():
        frame = frame[frame[column] == value]
    code = frame.columns[0]
    if series.columns:
        years = [name for name in frame.columns if re.fullmatch(series.columns, name)]
        rows = frame.melt(code, years, var_name="year", value_name="cell")
    else:
        rows = frame.rename(columns={series.value: "cell"})
    rows = rows.rename(columns={code: "unit_code"})[["unit_code", "year", "cell"]].reset_index(drop=True)
    number = pd.to_numeric(rows["cell"].replace("", None), errors="coerce")
    top = 100 if series.kind == "percent" else 1
    odd = (rows["cell"] != "") & ~number.between(0, top)
    if odd.any():
        raise bad_value(f"{series.kind} in {series.file}", rows.loc[odd, "cell"].iloc[0], [f"0 to {top}", "blank"])
    return rows.assign(percent=number.astype(float) * (1 if top == 100 else 100)).drop(columns="cell")

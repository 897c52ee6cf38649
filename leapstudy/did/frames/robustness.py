"""What a result rests on: false starts before the real one, one unit left out, other times, trends that depart."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.phrases import number
from leapstudy.did.effect import by_interval
from leapstudy.did.frames.read import NEVER, Columns, UnitPanel, read_frame
from leapstudy.did.frames.results import COLOR, INK, DidResult, EventStudyResult, Result, digits_of, uncertainty
from leapstudy.did.frames.two_sides import SEED, estimate_two_sides, start_of
from leapstudy.did.honest import honest_bounds, with_t
from leapstudy.did.nested import without_unit
from leapstudy.did.sample import Sample
from leapstudy.did.spread import t_critical

# Departures shown, in multiples of the largest change before the start.
TIMES = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class RowsResult(Result):
    """Several estimates beside each other.

    Attributes
    ----------
    outcome : str
    table : DataFrame
        One row an estimate: kind, what, estimate (missing for bounds), ci_low, ci_high, and what else there is.
    sentence : str
    """

    title: ClassVar[str] = "Side by side"
    outcome: str
    table: pd.DataFrame = field(compare=False)
    sentence: str

    @property
    def finding(self) -> str:
        """What the rows say together, in one sentence."""
        return self.sentence

    def _facts(self) -> list[tuple[str, str]]:
        # in one scale: a small number beside larger ones has no more decimals than they have
        digits = digits_of(*self.table[["estimate", "ci_low", "ci_high"]].to_numpy(float).ravel())
        rows = [
            (row.what, f"{number(row.estimate, digits)} ({uncertainty(row.ci_low, row.ci_high, None, digits)})")
            for row in self.table.itertuples()
        ]
        return rows if len(rows) <= 11 else [*rows[:10], ("...", f"{len(rows) - 10} more in .to_frame()")]

    def _draw(self, ax: Any) -> None:
        rows = self.table.iloc[::-1].reset_index(drop=True)
        finite = rows.replace([np.inf, -np.inf], np.nan)
        ax.hlines(rows.index, finite["ci_low"], finite["ci_high"], color=COLOR)
        ax.plot(rows["estimate"], rows.index, "o", color=COLOR)
        ax.set_yticks(rows.index, rows["what"])
        ax.axvline(0, color=INK, lw=0.8)
        ax.set_xlabel(f"effect on {self.outcome}, 95% CI")
        ax.set_ylabel("specification")


def placebo(data: Any, columns: Columns, seed: int = SEED) -> RowsResult:
    """Return the effect of every false start before the real one; see `leapstudy.placebo`."""
    panel = read_frame(data, columns)
    before = panel.clock < start_of(panel)
    if before.sum() < 2:
        raise BadInput(
            "There is one time before the start only; a false start needs two. Add earlier times to the frame."
        )
    earlier = replace(
        panel,
        times=panel.times[before],
        clock=panel.clock[before],
        y=panel.y[:, before],
        weights=None if panel.weights is None else panel.weights[:, before],
    )
    rows = [_false_start(earlier, place, panel, seed) for place in range(1, int(before.sum()))]
    table = pd.DataFrame(rows)
    beyond = int(((table["ci_low"] > 0) | (table["ci_high"] < 0)).sum())
    sentence = (
        f"Before the start the effect is expected to be zero; the interval excludes zero for {beyond} of {len(table)} "
        f"false start{'s' if len(table) > 1 else ''}."
    )
    return RowsResult(outcome=panel.columns.outcome, table=table, sentence=sentence)


def _false_start(earlier: UnitPanel, place: int, panel: UnitPanel, seed: int) -> dict[str, Any]:
    first = np.where(panel.treated, float(earlier.clock[place]), NEVER)
    result = estimate_two_sides(replace(earlier, first=first), seed)
    return {
        "kind": "false start",
        "what": f"as if from {result.post[0]}",
        "estimate": result.estimate,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "p_value": result.p_value,
    }


def sensitivity(result: Result) -> RowsResult:
    """Return what a result rests on; see `leapstudy.sensitivity`."""
    if isinstance(result, DidResult):
        return _of_did(result)
    if isinstance(result, EventStudyResult):
        return _of_event_study(result)
    raise BadInput(
        f"A sensitivity analysis is made of what diff_in_diff or event_study returns; this is a "
        f"{type(result).__name__}."
    )


def _of_did(result: DidResult) -> RowsResult:
    sample, units = result.sample, result.units
    names = units[units.columns[0]].astype(str).tolist()
    sides = {"treated": names[: result.n_treated], "comparison": names[result.n_treated :]}
    variants = [("as estimated", "as estimated", sample)]
    for pre in sample.contrast.pre if len(sample.contrast.pre) > 1 else ():
        variants.append(
            ("one time before", f"from {_text(result, pre)} alone", _between(sample, (pre,), sample.contrast.post))
        )
    for post in sample.contrast.post if len(sample.contrast.post) > 1 else ():
        variants.append(
            ("one time after", f"to {_text(result, post)} alone", _between(sample, sample.contrast.pre, (post,)))
        )
    for side, labels in sides.items():
        if len(labels) > (1 if side == "treated" else 2):
            variants += [
                ("left out", f"without {label}", without_unit(sample, side, at)) for at, label in enumerate(labels)
            ]
    rows = [{"kind": kind, "what": what, **_estimate(of)} for kind, what, of in variants]
    table = pd.DataFrame(rows)
    low, high = table["estimate"].min(), table["estimate"].max()
    digits = digits_of(low, high)
    sentence = (
        f"Over {len(table) - 1} changes of units and times the estimate lies between {number(low, digits)} and "
        f"{number(high, digits)}; as estimated it is {number(result.estimate, digits)}.{_other_test(result, table)}"
    )
    return RowsResult(outcome=result.outcome, table=table, sentence=sentence)


def _other_test(result: DidResult, table: pd.DataFrame) -> str:
    """Say which test gives the intervals of the rows, where it is not the one that leads."""
    headline = [end if np.isfinite(end) else np.nan for end in (result.ci_low, result.ci_high)]
    if np.allclose(table.loc[0, ["ci_low", "ci_high"]].to_numpy(float), headline, equal_nan=True):
        return ""
    test = "the permutation of the estimate" if result.n_treated == 1 else "unequal variances"
    return f" Intervals of all rows are by {test}; the preferred test is another ({result.p_method})."


def _text(result: DidResult, label: str) -> str:
    return (*result.pre, *result.post)[result.sample.years.index(label)]


def _between(sample: Sample, pre: tuple[str, ...], post: tuple[str, ...]) -> Sample:
    return replace(sample, contrast=replace(sample.contrast, pre=pre, post=post))


def _estimate(sample: Sample) -> dict[str, float]:
    figures = by_interval(sample)
    return {"estimate": figures["estimate_pp"], "ci_low": figures["ci_low_pp"], "ci_high": figures["ci_high_pp"]}


def _of_event_study(result: EventStudyResult) -> RowsResult:
    """Bound the first effect where trends depart (Rambachan and Roth 2023, relative magnitudes).

    A period is from one of the frame's own times to the next, whatever numbers name them: 201012 and 201101, or 2010
    and 2012, are one apart. Every unit has all of the times, so that none lacks.
    """
    rows = result.table[~result.table["is_reference"]]
    before = (rows["event_time"] < 0).to_numpy()
    reference = result.table.loc[result.table["is_reference"], "event_time"].iloc[0]
    if not before.any() or (rows["event_time"][before] > reference).any():
        raise BadInput(
            "Bounds need a time before the reference, and the last time before the start as the reference. Add "
            "earlier times, or leave reference= out."
        )
    b, n_pre = rows["estimate"].to_numpy(float), int(before.sum())
    problem = with_t(b, result.covariance, n_pre, t_critical(result.df))
    bounds = honest_bounds(problem, "relative_magnitudes", list(TIMES)).rename(
        columns={"low_pp": "ci_low", "high_pp": "ci_high"}
    )
    effect = float(b[n_pre])
    table = bounds.assign(kind="bounds", what=[f"departures up to {m:g} times" for m in TIMES], estimate=effect)
    table = table[["kind", "what", "estimate", "ci_low", "ci_high"]]
    includes = (table["ci_low"] <= 0) & (table["ci_high"] >= 0)
    sentence = (
        "The interval includes zero before any departure of trends is allowed."
        if includes.iloc[0]
        else (
            f"The interval excludes zero up to departures of {max(np.array(TIMES)[~includes.to_numpy()]):g} times "
            "the largest before."
        )
    )
    return RowsResult(outcome=result.outcome, table=table, sentence=sentence)

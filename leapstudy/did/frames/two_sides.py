"""Two sides and one start: difference-in-differences and event study of any frame, and what their results rest on."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput, shown
from leapstudy.core.phrases import number
from leapstudy.did import eventstudy
from leapstudy.did.contrasts import Contrast
from leapstudy.did.effect import Effect, by_interval, fit
from leapstudy.did.frames.read import NEVER, Columns, UnitPanel, read_frame
from leapstudy.did.frames.results import COLOR, INK, DidResult, EventStudyResult, Result, digits_of, uncertainty
from leapstudy.did.honest import honest_bounds, with_t
from leapstudy.did.inference.compare import headline, infer, methods_table
from leapstudy.did.nested import without_unit
from leapstudy.did.sample import Sample, Spec
from leapstudy.did.spread import LEAST_NOISE, Spread, t_critical

SEED = 20261124
# Times inside a sample: years of four digits, so that their text is in order.
LABEL = "{:04d}"


def diff_in_diff(data: Any, columns: Columns, seed: int = SEED) -> DidResult:
    """Return the difference-in-differences of a frame; see `leapstudy.diff_in_diff` for the arguments."""
    return estimate_two_sides(read_frame(data, columns), seed)


def estimate_two_sides(panel: UnitPanel, seed: int = SEED) -> DidResult:
    """Return the difference-in-differences of a panel, with the inference that fits its number of treated units."""
    sample = sample_of(panel, seed)
    if panel.columns.cluster is not None:
        return _result(panel, sample, fit(sample, draws=0), _by_cluster(panel, sample))
    effect = fit(sample)
    return _result(panel, sample, effect, _one(sample) if len(sample.treated) == 1 else _several(effect))


def event_study(data: Any, columns: Columns, reference: Any = None, seed: int = SEED) -> EventStudyResult:
    """Return the event study of a frame; see `leapstudy.event_study` for the arguments."""
    panel = read_frame(data, columns)
    if panel.columns.cluster is not None:
        raise BadInput("The event study has no clustered errors; use leapstudy.att_gt(cluster=), which has them.")
    sample = sample_of(panel, seed)
    _check_noise(sample)
    label = sample.contrast.pre[-1] if reference is None else _label_of(panel, sample, reference)
    study = eventstudy.event_study(sample, label)
    table = study.table.rename(columns=lambda name: name.removesuffix("_pp")).drop(columns="mde")
    texts = panel.texts
    table = table.rename(columns={"year": "time"}).assign(time=[texts[sample.years.index(of)] for of in table["year"]])
    return EventStudyResult(
        outcome=panel.columns.outcome,
        noun=panel.columns.noun,
        n_treated=study.n_treated,
        n_comparison=study.n_comparison,
        reference=texts[sample.years.index(label)],
        table=table,
        sup_t=study.sup_t,
        df=study.df,
        joint_p=study.joint_p,
        covariance=study.covariance.to_numpy(),
    )


def _check_noise(sample: Sample) -> None:
    """Refuse comparison units that all moved alike at every time."""
    own = sample.y_comparison - sample.y_comparison.mean(axis=1, keepdims=True)
    if np.std(own, axis=0).max() < LEAST_NOISE:
        raise BadInput(
            "No variation: the comparison units moved alike at every time, so that nothing shows their own noise."
        )


def sample_of(panel: UnitPanel, seed: int = SEED) -> Sample:
    """Return the sample that the study's estimators take: all times before the start against all from it on.

    Raises
    ------
    BadInput
        Without treated units, with several starts, without a time before the start, or with fewer than two comparison
        units. Units that start after the last time are comparison units.
    """
    start = start_of(panel)
    labels = tuple(LABEL.format(time) for time in panel.clock - panel.clock.min())
    before = int((panel.clock < start).sum())
    treated = panel.treated
    codes = np.array([f"{place:07d}" for place in range(len(panel.units))])
    # without weights nobody knows the units' sizes, and no test that needs them is made
    weights = np.full_like(panel.y, np.nan) if panel.weights is None else panel.weights
    comparison = tuple(codes[~treated].tolist())
    contrast = Contrast("before_to_after", "before to after the start", labels[:before], labels[before:], "main")
    spec = Spec(comparison=comparison, weights="equal" if panel.weights is None else "students", seed=seed)
    return Sample(
        spec,
        contrast,
        tuple(codes[treated].tolist()),
        comparison,
        labels,
        panel.y[treated],
        panel.y[~treated],
        weights[treated],
        weights[~treated],
        start=labels[before],
    )


def start_of(panel: UnitPanel) -> float:
    """Return the one start of the treated units; see `sample_of` for what is refused."""
    starts = np.unique(panel.first[panel.treated])
    if not len(starts):
        raise BadInput(
            "No unit is treated in any of the times. Check the column that says who is treated, and the filter."
        )
    if len(starts) > 1:
        raise BadInput(
            f"The units start at {len(starts)} different times, which one before and one after cannot hold. "
            "Use leapstudy.att_gt, which compares each start with its own before."
        )
    if starts[0] <= panel.clock[0]:
        raise BadInput("The treated units are treated in every time: nothing before the start can be compared.")
    comparison = int((~panel.treated).sum())
    if comparison < 2:
        raise BadInput(
            f"{'No unit is' if not comparison else 'Only one unit is'} never treated. Two comparison units or more "
            "are needed to see how far units move by themselves."
        )
    return float(starts[0])


def _label_of(panel: UnitPanel, sample: Sample, reference: Any) -> str:
    texts = panel.texts
    if str(reference) not in texts:
        raise BadInput(f"The reference {shown(reference)} is none of the times: {', '.join(texts[:12])}.")
    return sample.years[texts.index(str(reference))]


# Table of tests, the one that leads, and the standard error it has of its own.
Tests = tuple[pd.DataFrame, str, float | None]
COLUMNS = ["method", "estimate", "ci_low", "ci_high", "p_value", "p_floor", "leads"]


def _one(sample: Sample) -> Tests:
    tests = infer(sample)
    table = methods_table(tests).rename(columns=lambda name: name.removesuffix("_pp"))
    table = table.rename(columns={"is_headline": "leads"})
    return table[COLUMNS], headline(tests)[0].label, None


def _several(effect: Effect) -> Tests:
    ends, test = (effect.ci_low_pp, effect.ci_high_pp), effect.test
    rows = [
        ("Permutation of labels", effect.estimate_pp, *ends, test.p_value, test.floor, True),
        ("Welch t", effect.estimate_pp, *ends, effect.spread.p_value(test.estimate), np.nan, False),
    ]
    return pd.DataFrame(rows, columns=COLUMNS), "Permutation of labels, interval by unequal variances", None


def _by_cluster(panel: UnitPanel, sample: Sample) -> Tests:
    assert panel.cluster is not None
    spread = _clustered(sample, np.concatenate([panel.cluster[panel.treated], panel.cluster[~panel.treated]]))
    estimate = sample.difference
    name = f"Clustered by {panel.columns.cluster}, t({spread.df:.0f})"
    row = (name, estimate, *spread.interval(estimate), spread.p_value(estimate), np.nan, True)
    return pd.DataFrame([row], columns=COLUMNS), name, spread.se


def _clustered(sample: Sample, groups: np.ndarray) -> Spread:
    """Return the error with clusters: ``G / (G - 1)`` times the sum of squared influence by cluster, t with G - 1."""
    codes, n_treated = pd.factorize(groups)[0], len(sample.treated)
    clusters, with_treated = codes.max() + 1, len(np.unique(codes[:n_treated]))
    if with_treated < 2 or clusters < 3:
        raise BadInput(
            f"Clustered errors need two clusters with treated units and three in all; here are {with_treated} and "
            f"{clusters}. "
            "They reject a true null in most cases otherwise: aggregate to clusters and leave cluster= out."
        )
    sides = ((sample.weights_treated, sample.change_treated), (sample.weights_comparison, sample.change_comparison))
    influence = np.concatenate([weights * (change - weights @ change) for weights, change in sides])
    sums = np.bincount(codes, influence)
    return Spread(float(np.sqrt(sums @ sums * clusters / (clusters - 1))), clusters - 1)


def _result(panel: UnitPanel, sample: Sample, effect: Effect, tests: Tests) -> DidResult:
    table, leading, se = tests
    row = table[table["leads"]].iloc[0]
    texts = panel.texts
    n = len(sample.contrast.pre)
    ends = [row[end] if pd.notna(row[end]) else sign * NEVER for end, sign in (("ci_low", -1), ("ci_high", 1))]
    return DidResult(
        outcome=panel.columns.outcome,
        noun=panel.columns.noun,
        estimate=effect.estimate_pp,
        se=effect.se_pp if se is None else se,
        ci_low=float(ends[0]),
        ci_high=float(ends[1]),
        p_value=float(row["p_value"]),
        p_method=leading,
        p_floor=float(row["p_floor"]) if pd.notna(row["p_floor"]) else None,
        n_treated=len(sample.treated),
        n_comparison=len(sample.comparison),
        pre=tuple(texts[:n]),
        post=tuple(texts[n:]),
        weighted="equally" if panel.weights is None else f"by {panel.columns.weights}, its mean before the start",
        tests=table,
        units=_units(panel, sample),
        means=_means(sample, texts),
        placebos=effect.test.placebos,
        sample=sample,
    )


def _units(panel: UnitPanel, sample: Sample) -> pd.DataFrame:
    treated = panel.treated
    return pd.DataFrame(
        {
            panel.columns.unit: [*panel.units[treated], *panel.units[~treated]],
            "treated": np.repeat([True, False], [treated.sum(), (~treated).sum()]),
            "change": np.concatenate([sample.change_treated, sample.change_comparison]),
            "weight": np.concatenate([sample.weights_treated, sample.weights_comparison]),
        }
    )


def _means(sample: Sample, texts: list[str]) -> pd.DataFrame:
    sides = (
        ("treated", sample.weights_treated @ sample.y_treated),
        ("comparison", sample.weights_comparison @ sample.y_comparison),
    )
    return pd.concat(
        [pd.DataFrame({"side": side, "time": texts, "mean": mean}) for side, mean in sides], ignore_index=True
    )


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

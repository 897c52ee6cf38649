"""Starts of their own: Callaway and Sant'Anna's ATT(g,t) of any frame, with averages, bands and a permutation test."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput
from leapstudy.core.names import check_option, check_whole
from leapstudy.core.phrases import counted, missing, number
from leapstudy.did.eventstudy import bands
from leapstudy.did.frames.read import NEVER, Columns, UnitPanel, read_frame
from leapstudy.did.frames.results import Result, digits_of, draw_path, moved, of_zero, p_words, the_treated, uncertainty
from leapstudy.did.frames.two_sides import SEED
from leapstudy.did.permutation import DRAWS, TIE
from leapstudy.did.spread import LEAST_NOISE, t_above, t_critical
from leapstudy.did.staggered import att_gt as estimator
from leapstudy.did.staggered.att_gt import AttGt, Choices
from leapstudy.did.staggered.effects import Effects, Kind, averages, cs_effects
from leapstudy.students.moments.record import Cluster, Moments, clustered

KINDS: tuple[Kind, ...] = ("event", "group", "calendar", "simple")
# Cells of deals whose averages are taken in one piece.
AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class AttGtResult(Result):
    """ATT(g,t) and its averages.

    Attributes
    ----------
    n_treated, n_comparison : int
        Units with a start that was estimated, and never-treated units.
    df : float
        Degrees of freedom of every t: the smaller number of units less one; clusters less one where errors are
        clustered.
    table : DataFrame
        One row a cohort and time: cohort, time, event_time, estimate, se, low, high (pointwise 95%), n_treated,
        n_comparison. The error of a cohort of one unit is missing: its own noise cannot be measured.
    averages : dict
        By kind (event, group, calendar, simple) a table: key, estimate, se, low, high, low_sup, high_sup; the overall
        average is the last row, its key missing.
    refused : DataFrame
        Cohorts and times that are not estimated, each with the reason.
    p_permutation : float
        p-value of the simple average when the starts are dealt anew among all units; NaN with weights, strata or
        clusters.
    """

    outcome: str
    noun: str
    control: str
    base: str
    clustering: str
    n_treated: int
    n_comparison: int
    df: float
    table: pd.DataFrame
    averages: dict[Kind, pd.DataFrame] = field(compare=False)
    refused: pd.DataFrame = field(compare=False)
    p_permutation: float
    title: ClassVar[str] = "ATT(g,t), Callaway and Sant'Anna (2021)"

    @property
    def overall(self) -> pd.Series:
        """The simple average: estimate, se, low, high, p_value."""
        row = self.averages["simple"].iloc[-1][["estimate", "se", "low", "high"]].astype(float)
        row["p_value"] = 2 * t_above(abs(row["estimate"]) / row["se"], self.df) if row["se"] > 0 else np.nan
        return row

    @property
    def finding(self) -> str:
        """The average effect on the treated in two plain sentences."""
        row = self.overall
        digits = digits_of(row["estimate"])
        return (
            f"On average over starts and times, {self.outcome} in {the_treated(self.n_treated, self.noun)} changed "
            f"{moved(row['estimate'], self.outcome, digits)} in comparison {self.noun}s "
            f"({uncertainty(row['low'], row['high'], row['p_value'])}). "
            f"{self._alone() if missing(row['se']) else of_zero(row['low'], row['high'], row['p_value'])}"
        )

    def _alone(self) -> str:
        noise = f"A side of one {self.noun} shows no noise of its own, so that there is no interval"
        if missing(self.p_permutation):
            return f"{noise}."
        return f"{noise}; with the starts dealt anew among all {self.noun}s {p_words(self.p_permutation)}."

    def to_frame(self, kind: Kind | None = None) -> pd.DataFrame:
        """Return ATT(g,t) by cohort and time; or its averages by event time, group (cohort), calendar time, or the
        simple one.
        """
        if kind is None:
            return self.table.copy()
        check_option("kind of average", kind, Kind, "Without one: ATT(g,t) by cohort and time.")
        return self.averages[kind].copy()

    def _facts(self) -> list[tuple[str, str]]:
        overall = [(f"Mean by {kind}", self.averages[kind].iloc[-1]) for kind in ("event", "group", "calendar")]
        rows = [("Simple average", self.overall), *overall]
        average_lines = [
            (
                label,
                f"{number(row['estimate'], digits_of(row['estimate']))} ({uncertainty(row['low'], row['high'], None)})",
            )
            for label, row in rows
        ]
        dealt = [] if missing(self.p_permutation) else [("Permutation", p_words(self.p_permutation))]
        return [
            *average_lines,
            *dealt,
            ("Compared with", f"{self.control}; base: {self.base}"),
            ("Errors", f"{self.clustering}, t({self.df:.0f})"),
            ("Treated", counted(self.n_treated, self.noun)),
            ("Never treated", counted(self.n_comparison, self.noun)),
            ("Not estimated", f"{len(self.refused)} cohorts or times, see .refused"),
        ]

    def _draw(self, ax: Any) -> None:
        draw_path(ax, self.averages["event"].iloc[:-1], "key", self.outcome)


def att_gt(data: Any, columns: Columns, choices: Choices, seed: int = SEED) -> AttGtResult:
    """Return ATT(g,t) of a frame; see `leapstudy.att_gt` for the arguments."""
    check_whole("seed", seed)
    panel = read_frame(data, columns)
    if not panel.treated.any():
        raise BadInput(
            "No unit is treated in any of the times. Check the column that says who is treated, and the filter."
        )
    # as in R's did: a start after the last time, and after what may be anticipated, is none within the frame
    beyond = panel.first > panel.clock[-1] + choices.anticipation
    panel = replace(panel, first=np.where(beyond, NEVER, panel.first))
    moments, unit_cell = moments_of(panel)
    att = estimator.att_gt(moments, choices)
    if not (att.period >= att.cohort).any():
        raise BadInput(_nothing(att, panel))
    cluster: Cluster = "student" if panel.cluster is None else "district"
    effects = {kind: cs_effects(moments, att, kind, cluster) for kind in KINDS}
    treated = np.isin(panel.first, np.unique(att.cohort[att.period >= att.cohort]))
    n_treated, n_never = int(treated.sum()), int((panel.first == NEVER).sum())
    df = effects["simple"].df if cluster == "district" else max(min(n_treated, n_never or n_treated) - 1.0, 1.0)
    alone = cluster == "student" and _alone(panel, att)
    if not alone and effects["simple"].covariance[-1, -1] < LEAST_NOISE**2:
        raise BadInput(
            "No variation: units of one cohort all changed by the same amount, so that nothing shows how far units "
            "move by themselves. Add others."
        )
    name = panel.columns.cluster or panel.columns.unit
    return AttGtResult(
        outcome=panel.columns.outcome,
        noun=panel.columns.noun,
        control=choices.control.replace("_", " "),
        base=choices.base,
        clustering=f"clustered by {name}",
        n_treated=n_treated,
        n_comparison=n_never,
        df=df,
        table=_cells(att, moments, panel, df, cluster),
        averages={kind: _averages(average, kind, panel, df, alone, seed) for kind, average in effects.items()},
        refused=_refusals(att, panel),
        p_permutation=_dealt(panel, moments, att, unit_cell, seed),
    )


def moments_of(panel: UnitPanel) -> tuple[Moments, np.ndarray]:
    """Return the sums by cell that every staggered estimator takes, and each unit's cell, shape (U,)."""
    blank = np.full(len(panel.units), "")
    traits = [blank if trait is None else trait.astype(str) for trait in (panel.cluster, panel.stratum)]
    keys = pd.DataFrame({"district": traits[0], "cohort": panel.first, "stratum": traits[1]})
    cell = keys.groupby(list(keys), sort=True).ngroup().to_numpy()
    groups = keys.assign(cell=cell).drop_duplicates("cell").sort_values("cell")
    weights = np.ones(len(cell)) if panel.weights is None else _fixed_weights(panel)
    shift = float(panel.y.mean())
    y = panel.y - shift
    on = (cell == np.arange(len(groups))[:, None]).astype(float)
    squares = weights**2
    moments = Moments(
        periods=panel.clock,
        district=groups["district"].to_numpy(str),
        cohort=groups["cohort"].to_numpy(float),
        stratum=groups["stratum"].to_numpy(str),
        seen=np.ones((len(groups), len(panel.clock)), dtype=bool),
        students=on.sum(axis=1).astype(np.int64),
        weight=on @ weights,
        weight_sq=on @ squares,
        total=on @ (weights[:, None] * y),
        total_sq=on @ (squares[:, None] * y),
        cross=np.einsum("cu,us,ut->cst", on * squares, y, y, optimize=True),
        shift=shift,
    )
    return moments, cell


def _fixed_weights(panel: UnitPanel) -> np.ndarray:
    assert panel.weights is not None
    if (panel.weights != panel.weights[:, :1]).any():
        raise BadInput(
            f"Column {panel.columns.weights!r} changes over time. With starts of their own no time is before all of "
            "them: give each unit one weight, such as its value in the first time."
        )
    return panel.weights[:, 0]


def _nothing(att: AttGt, panel: UnitPanel) -> str:
    reasons = sorted(set(_refusals(att, panel)["reason"]))
    advice = ""
    if panel.treated.all():
        advice = (
            " Every unit has a start: leave it empty for those that never start, or compare with those not treated yet "
            'by control="not_yet".'
        )
    return f"No time after a start could be estimated: {'; '.join(reasons) or 'no unit to compare with'}.{advice}"


def _alone(panel: UnitPanel, att: AttGt) -> bool:
    """Say whether a cohort in use, or what it is compared with, is one unit, whose own noise cannot be measured."""
    single = any((panel.first == cohort).sum() == 1 for cohort in np.unique(att.cohort))
    return single or bool((att.n_comparison < 2).any())


def _texts(panel: UnitPanel) -> dict[float, str]:
    return dict(zip(panel.clock.astype(float).tolist(), panel.texts, strict=True))


def _cells(att: AttGt, moments: Moments, panel: UnitPanel, df: float, cluster: Cluster) -> pd.DataFrame:
    # the frame's own times, of its own type, so that the table joins to the frame that it was made of
    labels = dict(zip(panel.clock.astype(float).tolist(), panel.times.tolist(), strict=True))
    se = np.sqrt(np.diag(clustered(moments, att.influence(), cluster).covariance))
    se = np.where((att.n_treated > 1) & (att.n_comparison > 1), se, np.nan) if cluster == "student" else se
    reach = se * t_critical(df)
    return pd.DataFrame(
        {
            "cohort": [labels.get(of, of) for of in att.cohort],
            "time": [labels[float(of)] for of in att.period],
            "event_time": (att.period - att.cohort).astype(int),
            "estimate": att.estimate,
            "se": se,
            "low": att.estimate - reach,
            "high": att.estimate + reach,
            "n_treated": att.n_treated,
            "n_comparison": att.n_comparison,
        }
    )


def _averages(effects: Effects, kind: Kind, panel: UnitPanel, df: float, alone: bool, seed: int) -> pd.DataFrame:
    texts = _texts(panel)
    ends = bands(effects.estimate, effects.covariance, df, seed)
    keys = effects.key if kind in ("event", "simple") else [texts.get(key, key) for key in effects.key]
    table = pd.DataFrame(
        {
            "key": keys,
            "estimate": effects.estimate,
            "se": effects.se,
            "low": ends.low,
            "high": ends.high,
            "low_sup": ends.low_sup,
            "high_sup": ends.high_sup,
        }
    )
    unknown = ["se", "low", "high", "low_sup", "high_sup"] if alone else []
    return table.assign(**dict.fromkeys(unknown, np.nan))


def _refusals(att: AttGt, panel: UnitPanel) -> pd.DataFrame:
    texts = _texts(panel)
    rows = [
        {
            "cohort": texts.get(item.cohort, number(item.cohort, 0)),
            "time": "all" if item.period is None else texts[float(item.period)],
            "stratum": item.stratum,
            "reason": item.reason.replace("visited student", f"treated {panel.columns.noun}")
            .replace("student", panel.columns.noun)
            .replace("visit", "start")
            .replace("month", "time"),
        }
        for item in att.refused
    ]
    return pd.DataFrame(rows, columns=["cohort", "time", "stratum", "reason"])


def _dealt(panel: UnitPanel, moments: Moments, att: AttGt, unit_cell: np.ndarray, seed: int) -> float:
    """Return the p-value of the simple average, studentized, when all starts are dealt anew among the units.

    With equal weights the average is a sum over units of their cohort's own combination of times, so that a deal moves
    nothing but which combination a unit gets; each deal is divided by its own standard error.
    """
    if panel.weights is not None or panel.cluster is not None or panel.stratum is not None:
        return float("nan")
    slope = att.influence(averages(att, "simple").combination[-1:]).slope[0]
    # what every unit would add with the combination of every cohort, shape (U, C)
    contributions = (panel.y - moments.shift) @ slope.T
    dealt = np.random.default_rng(seed).permuted(np.tile(unit_cell, (DRAWS, 1)), axis=1)
    t = np.concatenate([_t(contributions, cells, moments.students) for cells in (unit_cell[None], *_portions(dealt))])
    return float(np.mean(np.abs(t) >= abs(t[0]) - TIE))


def _portions(dealt: np.ndarray) -> list[np.ndarray]:
    """Return the deals in portions whose arrays stay small whatever the number of units."""
    return np.array_split(dealt, -(-dealt.size // AT_ONCE))


def _t(contributions: np.ndarray, cells: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the studentized average of each deal; `cells` has shape (deals, U)."""
    deals, units = cells.shape
    own = contributions[np.arange(units), cells]
    place = cells + len(sizes) * np.arange(deals)[:, None]
    total, squares = (
        np.bincount(place.ravel(), values.ravel(), deals * len(sizes)).reshape(deals, -1) for values in (own, own**2)
    )
    many = sizes > 1
    variance = (squares - total**2 / sizes)[:, many] @ (sizes / np.maximum(sizes - 1, 1))[many]
    spread = np.sqrt(variance, where=variance > TIE, out=np.zeros(deals))
    return np.divide(own.sum(axis=1), spread, where=variance > TIE, out=np.full(deals, np.inf))

"""A screen for district-years that look like recording faults, from the published figures alone.

Two patterns are looked for, in both directions. *Out and back*: a year departs from both of its neighbors, against
what other districts did, and the series returns. *Contradiction*: chronic absence moves one way while attendance says
the other. A flag is a question to the district, not a verdict: a true shock that lasts one year looks the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leapstudy.core.errors import BadInput

# Standard deviations by which *both* changes, into and out of a year, must depart from other districts'.
CUT = 2.5

# Standard deviations by which chronic absence must depart from what attendance implies; one change, so a higher bar.
CONTRADICTION_CUT = 4.0

# Degrees of freedom of the noise: heavy tails, so that the faults looked for do not widen their own yardstick.
TAIL_DF = 3

# Points whose pairs are all formed at once; of more, blocks with as many pairs.
POINTS_AT_ONCE = 1500

PAIRS_DRAWN = 200_000

# Districts that a year needs before its spread can be learned.
FEWEST = 12

# Share of changes that may be exactly zero; of rare outcomes more are, and their spread is learned far too small.
MOST_UNCHANGED = 0.2

# The least variance of a change as a share of the median squared one: a year whose figures repeat would have none.
LEAST_VARIANCE = 0.01

# The least logarithm of a fitted variance: below it nothing but rounding is left.
LEAST_LOG = -30.0

COLUMNS = ["unit", "year", "pattern", "direction", "z_in", "z_out", "departure"]


@dataclass(frozen=True, slots=True)
class Noise:
    """How far changes of log-odds scatter: variance = `by_year` + `sampling` / (students x rate x (1 - rate)).

    Attributes
    ----------
    by_year : Series
        Variance of the change into each year beyond sampling; index year.
    sampling : float
        Multiple of the binomial variance; above 1 where absences of one student go together.
    """

    by_year: pd.Series
    sampling: float


def can_screen(rates_pct: pd.DataFrame, students: pd.Series, *, share: bool = True) -> bool:
    """Return whether a table has the years, units and changes that a screen needs, see `screen`."""
    return not _gaps(_levels(_known_years(rates_pct), share), students)


def _gaps(levels: pd.DataFrame, students: pd.Series) -> str:
    """Return what there is in place of what a screen needs; empty where it can be made.

    Changes are counted on the scale that is screened: there, figures below a twentieth of a percent are all alike.
    """
    change = levels.diff(axis=1).iloc[:, 1:][students.reindex(levels.index) > 0].dropna(how="all")
    unchanged = float((change == 0).to_numpy().sum() / max(1, change.count().sum()))
    if levels.shape[1] >= 3 and len(change) >= FEWEST and unchanged <= MOST_UNCHANGED:
        return ""
    return f"{levels.shape[1]} years, {len(change)} such units and {unchanged:.0%} of changes"


def _known_years(rates_pct: pd.DataFrame) -> pd.DataFrame:
    """Return the years of which there is a figure: those beside another one are neighbors."""
    return rates_pct.dropna(axis=1, how="all")


def _levels(rates_pct: pd.DataFrame, share: bool) -> pd.DataFrame:
    """Return the scale that is screened: log-odds of shares, all else as it is."""
    return log_odds(rates_pct) if share else rates_pct


def screen(
    rates_pct: pd.DataFrame, students: pd.Series, *, companion_pct: pd.DataFrame | None = None, share: bool = True
) -> pd.DataFrame:
    """Return the district-years that depart from their series.

    Parameters
    ----------
    rates_pct : DataFrame
        Rates in percent; one row a district, one column a year, columns in order of time. A year without figures is
        left out, and the years beside it count as neighbors.
    students : Series
        Students behind a rate; index as in `rates_pct`. Districts without a number, or of none, are not
        screened.
    companion_pct : DataFrame, optional
        A second outcome of the same districts (attendance beside chronic absence), for the contradictions. Its years
        may be fewer.
    share : bool
        Whether the figures are percents, which are screened as log-odds; means and counts per so many are screened as
        they are, with a sampling variance that falls with the students.

    Returns
    -------
    DataFrame
        unit, year, pattern ('out and back' or 'contradiction'), direction ('high' or 'low'), z_in and z_out (robust
        standard deviations of the changes into and out of the year; z_out is empty for a contradiction), departure
        (log-odds, or units of what is no share, away from the neighbors or from what the companion implies); the
        largest first.

    Raises
    ------
    BadInput
        With fewer than three years, or twelve districts that have students and two figures in a row: there is nothing
        to compare with. Where more than a fifth of changes are exactly zero on the scale that is screened.

    Notes
    -----
    Each change is centered on the median district of its year, so that what happened to all is no flag. The yardstick
    is fitted by maximum likelihood with Student's t(3) errors (Lange, Little and Taylor 1989, JASA 84:881), whose heavy
    tails keep the faults themselves from hiding.

    Examples
    --------
    >>> years = ["2005-06", "2006-07", "2007-08", "2008-09"]
    >>> rng = np.random.default_rng(1)
    >>> rates = pd.DataFrame(rng.normal(20, 0.5, (40, 4)), columns=years)
    >>> rates.loc[7, "2007-08"] = 35.0
    >>> screen(rates, pd.Series(5000.0, index=rates.index))[["unit", "year", "pattern", "direction"]].values.tolist()
    [[7, '2007-08', 'out and back', 'high']]
    """
    rates_pct = _known_years(rates_pct)
    levels = _levels(rates_pct, share)
    if gaps := _gaps(levels, students):
        raise BadInput(
            f"A screen for broken series needs at least 3 years and {FEWEST} units with students and figures of two "
            f"years in a row, and at most {MOST_UNCHANGED:.0%} of changes that are exactly zero; here are {gaps}."
        )
    students = students.where(students > 0)
    unit = 1.0 if share else float(np.nanmedian(levels.diff(axis=1).abs().to_numpy())) or 1.0
    spread = _binomial(rates_pct, students) if share else _by_size(rates_pct, students)
    own = _out_and_back(_changes(levels / unit, spread), list(rates_pct.columns))
    flags = [own.assign(departure=unit * own["departure"])]
    if companion_pct is not None:
        flags.append(_contradictions(rates_pct, _known_years(companion_pct), students))
    rows = pd.concat(flags, ignore_index=True)
    size = rows[["z_in", "z_out"]].abs().min(axis=1)
    return rows.loc[size.sort_values(ascending=False, kind="stable").index, COLUMNS].reset_index(drop=True)


def log_odds(rates_pct: pd.DataFrame) -> pd.DataFrame:
    """Return log-odds of rates in percent, kept off 0 and 100 by a twentieth of a point."""
    share = rates_pct.clip(0.05, 99.95) / 100
    return np.log(share / (1 - share))


def fit_noise(change: np.ndarray, sampling_variance: np.ndarray, year: np.ndarray) -> Noise:
    """Return the spread of changes, see `Noise`.

    Parameters
    ----------
    change : array of shape (n,)
        Centered changes of log-odds.
    sampling_variance : array of shape (n,)
        Their binomial variance.
    year : array of shape (n,)
        The year of each; every year has a spread of its own.
    """
    # imported here because it is slow to import and only this asks for it
    from scipy.optimize import minimize

    years, code = np.unique(year, return_inverse=True)
    squared = np.square(change)

    def loss(log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log-likelihood's negative up to a constant, and its gradient."""
        *each, common = np.exp(log_parameters)
        by_year, sampling = np.array(each), common * sampling_variance
        variance = by_year[code] + sampling
        tails = (TAIL_DF + 1) / 2 * np.log1p(squared / (TAIL_DF * variance))
        by_variance = 1 / (2 * variance) - (TAIL_DF + 1) / 2 * squared / (variance * (TAIL_DF * variance + squared))
        slopes = np.bincount(code, by_variance, len(years)) * by_year
        return float((np.log(variance) / 2 + tails).sum()), np.append(slopes, by_variance @ sampling)

    start = np.append(np.full(len(years), np.log(0.02)), 0.0)
    least = [(LEAST_LOG, None)] * len(start)
    fit = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=least, options={"ftol": 1e-13, "gtol": 1e-7})
    *each, common = np.exp(fit.x)
    return Noise(pd.Series(each, index=years), float(common))


def _changes(levels: pd.DataFrame, variance: pd.DataFrame) -> pd.DataFrame:
    """Return one row a change: unit, year (the later one), change, z."""
    change = levels.diff(axis=1).iloc[:, 1:]
    change = change - change.median()
    pair = (variance + variance.shift(axis=1)).iloc[:, 1:]
    rows = pd.DataFrame({"change": change.stack(), "variance": pair.stack()}).dropna()
    rows = rows.rename_axis(["unit", "year"]).reset_index()
    return rows.assign(z=_z(rows["change"], rows["variance"], rows["year"]))


def _binomial(rates_pct: pd.DataFrame, students: pd.Series) -> pd.DataFrame:
    share = rates_pct.clip(0.2, 99.8) / 100
    return 1 / (share * (1 - share)).mul(students.reindex(rates_pct.index), axis=0)


def _by_size(values: pd.DataFrame, students: pd.Series) -> pd.DataFrame:
    """Return a variance that falls with the students, 1 for the median of them."""
    own = students.reindex(values.index)
    return values.notna().astype(float).mul(own.median() / own, axis=0)


def _z(change: pd.Series, variance: pd.Series, year: pd.Series) -> np.ndarray:
    noise = fit_noise(change.to_numpy(float), variance.to_numpy(float), year.to_numpy())
    spread = year.map(noise.by_year) + noise.sampling * variance
    return (change / np.sqrt(spread.clip(lower=LEAST_VARIANCE * change.pow(2).median()))).to_numpy()


def _out_and_back(changes: pd.DataFrame, years: list[str]) -> pd.DataFrame:
    before = dict(zip(years[1:], years[:-1], strict=True))
    out = changes.assign(year=changes["year"].map(before)).drop(columns="variance")
    both = changes.merge(out, on=["unit", "year"], suffixes=("_in", "_out"))
    reversal = (np.sign(both["z_in"]) == -np.sign(both["z_out"])) & (both[["z_in", "z_out"]].abs().min(axis=1) >= CUT)
    rows = both[reversal]
    return rows.assign(
        pattern="out and back",
        direction=np.where(rows["z_in"] > 0, "high", "low"),
        departure=(rows["change_in"] - rows["change_out"]) / 2,
    )[COLUMNS]


def _contradictions(rates_pct: pd.DataFrame, companion_pct: pd.DataFrame, students: pd.Series) -> pd.DataFrame:
    """Return the changes that the companion's change does not carry, by a median regression a year."""
    here = [year for year in rates_pct.columns if year in companion_pct.columns]
    ours = log_odds(rates_pct[here]).diff(axis=1).iloc[:, 1:]
    theirs = log_odds(companion_pct.reindex(rates_pct.index)[here]).diff(axis=1).iloc[:, 1:]
    variance = _binomial(rates_pct[here], students)
    pair = (variance + variance.shift(axis=1)).iloc[:, 1:]
    frames = {"ours": ours.stack(), "theirs": theirs.stack(), "variance": pair.stack()}
    rows = pd.DataFrame(frames).dropna().rename_axis(["unit", "year"]).reset_index()
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows["rest"] = np.nan
    for _, group in rows.groupby("year"):
        rows.loc[group.index, "rest"] = _theil_sen_rest(group["theirs"].to_numpy(), group["ours"].to_numpy())
    z = _z(rows["rest"], rows["variance"], rows["year"])
    departure = np.abs(z) >= CONTRADICTION_CUT
    return rows.assign(
        pattern="contradiction", direction=np.where(z > 0, "high", "low"), z_in=z, z_out=np.nan, departure=rows["rest"]
    )[departure][COLUMNS]


def _theil_sen_rest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what is left of `y` after the median of all pairwise slopes on `x`, centered on its median."""
    rest = y - median_slope(x, y) * x
    return rest - np.median(rest)


def median_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the median of the slopes of all pairs of points that differ in `x`; 0 where none do.

    Pairs are formed by blocks of points and only slopes near the median are kept, so that memory does not grow with the
    square of the points: 13,000 districts have 84 million pairs.

    Examples
    --------
    >>> median_slope(np.array([0.0, 1.0, 2.0, 2.0]), np.array([0.0, 1.0, 9.0, 3.0]))
    2.0
    """
    low, high = _near_median(x, y)
    below = pairs = 0
    near = []
    for slopes in _slopes(x, y):
        pairs += len(slopes)
        below += int((slopes < low).sum())
        near.append(slopes[(slopes >= low) & (slopes <= high)])
    middle = np.array([(pairs - 1) // 2, pairs // 2]) - below
    inside = np.concatenate(near)
    if not pairs:
        return 0.0
    if middle[0] < 0 or middle[1] >= len(inside):  # the drawn pairs misled
        inside, middle = np.concatenate(list(_slopes(x, y))), middle + below
    return float(np.partition(inside, middle)[middle].mean())


def _near_median(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return bounds between which the median slope lies all but surely, from drawn pairs; none for few points."""
    if len(x) <= POINTS_AT_ONCE:
        return -np.inf, np.inf
    first, second = np.random.default_rng(0).integers(0, len(x), (2, PAIRS_DRAWN))
    differ = x[first] != x[second]
    slopes = (y[second] - y[first])[differ] / (x[second] - x[first])[differ]
    low, high = np.quantile(slopes, [0.49, 0.51]) if len(slopes) else (-np.inf, np.inf)
    return float(low), float(high)


def _slopes(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the slopes of all pairs that differ in `x`, of a block of points with all later ones at a time."""
    size = max(1, POINTS_AT_ONCE**2 // max(1, len(x)))
    for start in range(0, len(x), size):
        first, second = np.triu_indices(min(size, len(x) - start), 1, len(x) - start)
        run = x[start + second] - x[start + first]
        differ = run != 0
        yield (y[start + second] - y[start + first])[differ] / run[differ]

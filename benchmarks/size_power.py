"""Size and power of every test of one treated district, on SIMULATED panels shaped like Connecticut's.

Run it by `python benchmarks/size_power.py`. The table is kept in benchmarks/results/size_power.csv with its date and
seed, the picture beside it. The rule of `leapstudy.did.inference.headline` rests on it.
"""

import argparse
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from leapstudy.core.files import write_bytes_atomic, write_text_atomic
from leapstudy.data import load_study
from leapstudy.did.design import Spec, build_panel, comparison_codes
from leapstudy.did.inference.compare import fit_rows, long_rows, placebo_p
from leapstudy.did.inference.record import LABELS, MethodName, spread_before
from leapstudy.did.permutation import ALPHA, TIE
from leapstudy.figures.exhibit import PAGE_DPI, png
from leapstudy.figures.palette import COMPARISON, INK, OWN

RESULTS = Path(__file__).parent / "results"
Noise = Literal["equal", "noisy", "quiet", "noisy_small", "quiet_large"]
NOISE_LABELS: dict[Noise, str] = {
    "equal": "as noisy as the others",
    "noisy": "noisier, for reasons of its own",
    "quiet": "quieter, for reasons of its own",
    "noisy_small": "noisier, because it is small",
    "quiet_large": "quieter, because it is large",
}
OWN_TIMES = {"equal": 1.0, "noisy": 4 / 3, "quiet": 2 / 3}
SIZE_TIMES = {"noisy_small": 4 / 3, "quiet_large": 2 / 3}
COMPARISONS = {19: "alliance", 184: "others"}
YEARS_BEFORE = (2, 4, 7)
MARKS = (("o", OWN), ("^", COMPARISON), ("D", INK))
# share of a year's variance that a district of harmonic-mean size owes to its students being few
FROM_SIZE = 0.7
EFFECT = 2.0
TICKS = (0.2, 1, 5, 20, 100)
REPLICATES, CHUNK, SDID_REPLICATES, SEED = 4000, 500, 200, 20261125


@dataclass(frozen=True, slots=True)
class Shape:
    """One cell of the simulation: who is compared, how noisy the treated district is, how many years before.

    `students` has the comparison districts' enrollment, shape (C,): quantiles of the real ones.
    """

    noise: Noise
    n_pre: int
    students: np.ndarray


def enrollments(study_codes: int) -> np.ndarray:
    """Return enrollments for that many comparison districts: quantiles of the real group's in 2019-20."""
    data = load_study()
    panel = build_panel(data, "attendance_rate", Spec().edition)
    codes = comparison_codes(data, COMPARISONS[study_codes])
    rows = [panel.codes.index(code) for code in codes if code in panel.codes]
    real = panel.students[rows, panel.years.index("2019-20")]
    return np.quantile(real[~np.isnan(real)], (np.arange(study_codes) + 0.5) / study_codes)


def shapes() -> Iterator[Shape]:
    """Yield every cell."""
    for n_comparison in COMPARISONS:
        students = enrollments(n_comparison)
        for noise, n_pre in product(get_args(Noise), YEARS_BEFORE):
            yield Shape(noise, n_pre, students)


def spreads(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return each district's error sd and enrollment, the treated one first; a typical comparison district has sd 1."""
    typical = float(stats.hmean(shape.students))
    if shape.noise in OWN_TIMES:
        return np.concatenate([[OWN_TIMES[shape.noise]], np.ones(len(shape.students))]), np.append(
            typical, shape.students
        )
    own = FROM_SIZE * typical / (SIZE_TIMES[shape.noise] ** 2 - (1 - FROM_SIZE))
    students = np.append(own, shape.students)
    return np.sqrt(1 - FROM_SIZE + FROM_SIZE * typical / students), students


def panels(shape: Shape, replicates: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return panels without effect, shape (replicates, C + 1, years), the last year after; and enrollment,
    shape (C + 1,).

    District and year effects would cancel in every test and are left out; errors are normal and independent over years.
    """
    sd, students = spreads(shape)
    return rng.standard_normal((replicates, len(sd), shape.n_pre + 1)) * sd[:, None], students


def p_values(y: np.ndarray, students: np.ndarray) -> dict[MethodName, np.ndarray]:
    """Return every test's p-values, shape (replicates,), for panels of `panels`;
    the tests hold them to the study's own.
    """
    n = y.shape[1]
    change = y[:, :, -1] - y[:, :, :-1].mean(axis=2)
    placement = (change - change.mean(axis=1, keepdims=True)) * n / (n - 1)
    compared = change[:, 1:]
    residual = compared - compared.mean(axis=1, keepdims=True)
    estimate, s = placement[:, 0], np.sqrt((residual**2).sum(axis=1) / (n - 2))
    by_size = np.sqrt(size_variances(residual, students))
    noise = spread_before(y[:, :, :-1], np.full(n, 1 / n))
    rescaled = residual * (by_size[:, :1] / by_size[:, 1:])
    return {
        "permutation": _rank(placement),
        "studentized_noise": _rank(placement / noise),
        "studentized_enrollment": _rank(placement / by_size),
        "conley_taber": _rank(np.column_stack([estimate, residual])),
        "ferman_pinto": _rank(np.column_stack([estimate, rescaled])),
        "small_sample_t": 2 * stats.t.sf(np.abs(estimate) / (s * np.sqrt(1 + 1 / (n - 1))), n - 2),
        # the treated district fits its own dummy, so that only the comparison mean's variance is left
        "cluster_robust": 2 * stats.t.sf(np.abs(estimate) / (s / np.sqrt(n - 1)), n - 1),
    }


def _rank(statistic: np.ndarray) -> np.ndarray:
    size = np.abs(statistic)
    return (size >= size[:, :1] - TIE).mean(axis=1)


def size_variances(residual: np.ndarray, students: np.ndarray) -> np.ndarray:
    """Return `noise.size_variance` at every district for many replicates at once, shape (replicates, C + 1)."""
    x = students[1:].mean() / students
    design, squares = np.column_stack([np.ones(len(x) - 1), x[1:]]), residual**2
    both = squares @ np.linalg.pinv(design).T
    common, only = squares.mean(axis=1), squares @ x[1:] / (x[1:] @ x[1:])
    # where one part comes out negative it is zero, and the other is fitted alone
    a = np.where(both[:, 1] < 0, common, np.where(both[:, 0] < 0, 0, both[:, 0]))
    b = np.where(both[:, 1] < 0, 0, np.where(both[:, 0] < 0, only, both[:, 1]))
    return a[:, None] + b[:, None] * x


def rejections(shape: Shape, replicates: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return size and power of every test in one cell: method, size, power."""
    counts: dict[MethodName, np.ndarray] = {}
    done = 0
    while done < replicates:
        y, students = panels(shape, min(CHUNK, replicates - done), rng)
        done += len(y)
        with_effect = y.copy()
        with_effect[:, 0, -1] += EFFECT
        null, effect = p_values(y, students), p_values(with_effect, students)
        for name in null:
            hits = np.array([(p[name] <= ALPHA + TIE).sum() for p in (null, effect)])
            counts[name] = counts.get(name, np.zeros(2)) + hits
    rows = [{"method": name, "size": hit[0] / replicates, "power": hit[1] / replicates} for name, hit in counts.items()]
    return pd.DataFrame(rows).assign(replicates=replicates)


def synthetic_size(shape: Shape, replicates: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the size of the synthetic difference's placebo test in one cell; slow, so without power."""
    y, _ = panels(shape, replicates, rng)
    years = tuple(str(year) for year in range(y.shape[2]))
    codes = tuple(f"{district:03d}" for district in range(y.shape[1]))
    hits = 0
    for panel in y:
        fitted = fit_rows(long_rows(panel, codes, years), years[-1:])
        hits += placebo_p(fitted)[0] <= ALPHA + 1e-9
    return pd.DataFrame([{"method": "sdid_placebo", "size": hits / replicates, "replicates": replicates}])


def simulate(replicates: int, sdid_replicates: int, seed: int) -> pd.DataFrame:
    """Return the whole table: n_comparison, noise, n_pre, method, size, power, replicates."""
    parts = []
    for number, shape in enumerate(shapes()):
        rng = np.random.default_rng([seed, number])
        made = [rejections(shape, replicates, rng)]
        if len(shape.students) == 19 and shape.noise in OWN_TIMES and shape.n_pre != 4 and sdid_replicates:
            made.append(synthetic_size(shape, sdid_replicates, rng))
        cell = pd.concat(made, ignore_index=True)
        parts.append(cell.assign(n_comparison=len(shape.students), noise=shape.noise, n_pre=shape.n_pre))
        print(f"1 against {len(shape.students)}, {shape.noise}, {shape.n_pre} years before", flush=True)
    table = pd.concat(parts, ignore_index=True)
    return table[["n_comparison", "noise", "n_pre", "method", "size", "power", "replicates"]]


def picture(table: pd.DataFrame) -> bytes:
    """Return size by noise of the treated district (columns) and comparison districts (rows), as PNG."""
    figure = Figure(figsize=(12.5, 6.2), layout="constrained")
    grid = figure.subplots(2, 5, sharex=True, sharey=True)
    methods: list[MethodName] = [name for name in LABELS if name in set(table["method"])]
    for line, n_comparison in zip(grid, COMPARISONS, strict=True):
        for axes, (noise, label) in zip(line, NOISE_LABELS.items(), strict=True):
            shown = table[(table["n_comparison"] == n_comparison) & (table["noise"] == noise)]
            for (marker, color), n_pre in zip(MARKS, YEARS_BEFORE, strict=False):
                size = shown[shown["n_pre"] == n_pre].set_index("method")["size"].reindex(methods)
                places = np.arange(len(methods))[::-1] + 0.2 * (n_pre - 4) / 3
                axes.plot(
                    (100 * size).clip(lower=TICKS[0]),
                    places,
                    linestyle="none",
                    marker=marker,
                    color=color,
                    markersize=5,
                    label=f"{n_pre} years before",
                )
            axes.axvline(100 * ALPHA, color=INK, linewidth=1)
            axes.set(xscale="log", xlim=(0.12, 160), xticks=TICKS, xticklabels=[f"{tick:g}" for tick in TICKS])
            axes.set(yticks=range(len(methods)), yticklabels=[LABELS[name] for name in methods[::-1]])
            axes.minorticks_off()
            if n_comparison == 19:
                axes.set_title("treated district\n" + label.replace(", ", ",\n"), fontsize=9)
        line[0].set_ylabel(f"1 against {n_comparison}")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("SIMULATED: true nulls rejected at 5%, in percent (line: 5; log scale)", fontsize=10.5)
    return png(figure, PAGE_DPI)


def main() -> None:
    """Run the replicates, keep table and picture, print the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--sdid-replicates", type=int, default=SDID_REPLICATES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    table = simulate(given.replicates, given.sdid_replicates, given.seed)
    table = table.assign(seed=given.seed, date=datetime.date.today().isoformat())
    write_text_atomic(given.out / "size_power.csv", table.to_csv(index=False, float_format="%.4f"))
    write_bytes_atomic(given.out / "size_power.png", picture(table))
    keys = ["n_comparison", "method"]
    print(table.pivot_table(index=keys, columns=["noise", "n_pre"], values="size", sort=False).round(3).to_string())


if __name__ == "__main__":
    main()

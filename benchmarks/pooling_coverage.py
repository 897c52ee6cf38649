"""Coverage of the intervals of partial pooling, on SIMULATED districts whose effects are known.

Run it by `python benchmarks/pooling_coverage.py`. The table is kept in benchmarks/results/pooling_coverage.csv with its
date and seed. Fifteen districts, as in the study; noise as measured among the Alliance districts.
"""

import argparse
import datetime
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from leapstudy.core.files import write_text_atomic
from leapstudy.did.permutation import ALPHA
from leapstudy.did.shrinkage import shrink

RESULTS = Path(__file__).parent / "results"
DISTRICTS, NOISE_PP, MEAN_PP, THRESHOLD_PP = 15, 1.2, 0.3, 0.5
COMPARISONS = (19, 184)
TAUS = (0.0, 0.5, 1.0, 2.0)
TREATED_TIMES = (1.0, 4 / 3)
REPLICATES, SEED = 400, 20261125


def cells() -> Iterator[tuple[int, float, float]]:
    """Yield comparison districts, between-district sd and how noisy treated districts are beside the others."""
    yield from product(COMPARISONS, TAUS, TREATED_TIMES)


def replicate(n_comparison: int, tau: float, times: float, rng: np.random.Generator) -> dict[str, float]:
    """Return, of one simulated study, the share of districts whose intervals hold the truth, widths and errors."""
    truth = MEAN_PP + tau * rng.standard_normal(DISTRICTS)
    changes = NOISE_PP * rng.standard_normal(n_comparison)
    effects = truth + times * NOISE_PP * rng.standard_normal(DISTRICTS) - changes.mean()
    variance = float(np.var(changes, ddof=1))
    made = shrink(effects, variance * (np.eye(DISTRICTS) + 1 / n_comparison), THRESHOLD_PP)
    reach = float(stats.t.ppf(1 - ALPHA / 2, n_comparison - 1)) * np.sqrt(variance * (1 + 1 / n_comparison))
    return {
        "shrunken_coverage": float(np.mean((made.low_pp <= truth) & (truth <= made.high_pp))),
        "own_coverage": float(np.mean(np.abs(effects - truth) <= reach)),
        "mean_coverage": float(made.mu_low_pp <= MEAN_PP <= made.mu_high_pp),
        # an interval that leaves out 2.5 % below cannot hold the edge itself
        "tau_coverage": float(made.tau_low_pp <= tau <= made.tau_high_pp) if tau > 0 else float("nan"),
        "shrunken_width_pp": float(np.mean(made.high_pp - made.low_pp)),
        "own_width_pp": 2 * reach,
        "shrunken_mse": float(np.mean((made.mean_pp - truth) ** 2)),
        "own_mse": float(np.mean((effects - truth) ** 2)),
    }


def simulate(replicates: int, seed: int) -> pd.DataFrame:
    """Return one row a cell: n_comparison, tau_pp, treated_noise, replicates, and the means of `replicate`."""
    rows = []
    for number, (n_comparison, tau, times) in enumerate(cells()):
        rng = np.random.default_rng([seed, number])
        made = pd.DataFrame([replicate(n_comparison, tau, times, rng) for _ in range(replicates)]).mean()
        rows.append(
            {"n_comparison": n_comparison, "tau_pp": tau, "treated_noise": times, "replicates": replicates, **made}
        )
        print(f"1 to {DISTRICTS} against {n_comparison}, tau {tau}, noise x {times:.2f}", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Run the replicates, keep and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    table = simulate(given.replicates, given.seed).assign(seed=given.seed, date=datetime.date.today().isoformat())
    write_text_atomic(given.out / "pooling_coverage.csv", table.to_csv(index=False, float_format="%.4f"))
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()

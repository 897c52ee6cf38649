"""Size of the pooled test: placebo programs dealt into each study's own published figures, so that the truth is zero.

Run it by `python benchmarks/placebo_programs.py`. Each program takes as many units as the study's own, with the same
starts, at random from those that never started; the rest are the comparison. The table is kept in
benchmarks/results/placebo_programs.csv with its date and seed.
"""

import argparse
import dataclasses
import datetime
import os
from pathlib import Path

import numpy as np
import pandas as pd

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic
from leapstudy.data import StudyData, load_study
from leapstudy.did.contrasts import clock_of
from leapstudy.did.design import Spec, build_panel, build_sample, sample_of_codes
from leapstudy.did.effect import fit
from leapstudy.did.permutation import ALPHA

RESULTS = Path(__file__).parent / "results"
PROGRAMS, DRAWS, SEED = 500, 499, 20261128


def studies() -> dict[str, Path]:
    """Return the workspaces: the project's own, and those of the tests."""
    return {"ct": paths.root(), "ma": paths.root() / "tests" / "states" / "ma", "md": paths.root() / "tests/states/md"}


def dealt(data: StudyData, programs: int, seed: int) -> pd.DataFrame:
    """Return one row a placebo program: estimate, p-value of the dealing test, and that of t.

    Parameters
    ----------
    data
        A study's tables.
    programs
        How many.
    seed
        Of the dealings.
    """
    spec = Spec()
    own = build_sample(data, spec, list(data.starts))
    starts = [data.starts[code] for code in own.treated]
    panel = build_panel(data, spec.outcome, spec.edition)
    clock = clock_of(data.state, data.starts, own.treated)
    used = sorted({year for start in clock.starts for year in clock.school_years(own.contrast.years, start)})
    columns = [panel.years.index(year) for year in used]
    full = ~np.isnan(panel.rates[:, columns]).any(axis=1)
    whole = [code for code, there in zip(panel.codes, full, strict=True) if there and code not in data.starts]
    rng, rows = np.random.default_rng(seed), []
    for program in range(programs):
        picked = rng.permutation(whole)
        treated, others = tuple(picked[: len(starts)]), tuple(picked[len(starts) :])
        placebo = dataclasses.replace(panel, starts=dict(zip(treated, starts, strict=True)), ends={})
        effect = fit(sample_of_codes(placebo, dataclasses.replace(spec, seed=program), treated, others), DRAWS)
        p_t = effect.spread.p_value(effect.test.estimate)
        rows.append({"estimate_pp": effect.estimate_pp, "p_dealt": effect.test.p_value, "p_t": p_t})
    return pd.DataFrame(rows).assign(n_treated=len(starts), n_comparison=len(whole) - len(starts))


def summary(study: str, programs: pd.DataFrame, outcome: str) -> dict[str, object]:
    """Return a row of the kept table: shares of true zeros that each test rejects at 5%."""
    return {
        "study": study,
        "outcome": outcome,
        "programs": len(programs),
        "n_treated": programs["n_treated"].iloc[0],
        "n_comparison": programs["n_comparison"].iloc[0],
        "rejected_dealt": (programs["p_dealt"] <= ALPHA).mean(),
        "rejected_t": (programs["p_t"] <= ALPHA).mean(),
        "mean_estimate_pp": programs["estimate_pp"].mean(),
        "sd_estimate_pp": programs["estimate_pp"].std(),
        "seed": SEED,
        "date": datetime.date.today().isoformat(),
    }


def main() -> None:
    """Deal the programs and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    parser.add_argument("--out", type=Path, default=RESULTS / "placebo_programs.csv")
    asked, rows = parser.parse_args(), []
    for study, root in studies().items():
        os.environ["LEAPSTUDY_ROOT"] = str(root)
        rows.append(summary(study, dealt(load_study(), asked.programs, SEED), Spec().outcome))
        print(rows[-1])
    table = pd.DataFrame(rows).round(4)
    write_text_atomic(asked.out, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()

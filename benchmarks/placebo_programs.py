"""Size of the pooled test: placebo programs dealt into each study's own published figures, so that the truth is zero.

Run it by `python benchmarks/placebo_programs.py`. Each program takes as many units as the study's own, with the same
starts, at random from those that never started; the rest are the comparison. `CASES` says how else programs are dealt:
by lots within strata, and among INVENTED parents of `FAMILY` units that were alike before. The table is kept in
benchmarks/results/placebo_programs.csv with its date and seed.
"""

import argparse
import dataclasses
import datetime
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from leapstudy.core import paths
from leapstudy.core.files import write_text_atomic
from leapstudy.core.names import Nesting
from leapstudy.data import StudyData, load_study
from leapstudy.did.contrasts import clock_of
from leapstudy.did.design import Spec, build_panel, build_sample, sample_of_codes
from leapstudy.did.effect import fit
from leapstudy.did.permutation import ALPHA

RESULTS = Path(__file__).parent / "results"
PROGRAMS, DRAWS, SEED = 500, 499, 20261128
CASES = ("any units", "lots within strata", "any units, compared within parents", "whole parents")
ANY, LOTS, WITHIN, WHOLE = CASES
LOGODDS = ", log-odds"
# A second outcome of a study, into whose figures programs are dealt to any units. `md` has no other one: attendance is
# refused, since too many cells are bounds, so that it is asked on the other scale.
OTHER = {"ct": "attendance_rate_high_needs", "ma": "chronic_absence", "md": f"chronic_absence{LOGODDS}"}
# Units of a parent, and parents that start at the least.
FAMILY, FEWEST = 6, 8


def studies() -> dict[str, Path]:
    """Return the workspaces: the project's own, and those of the tests."""
    return {"ct": paths.root(), "ma": paths.root() / "tests" / "states" / "ma", "md": paths.root() / "tests/states/md"}


def dealt(data: StudyData, programs: int, seed: int, case: str = ANY, outcome: str = "") -> pd.DataFrame:
    """Return one row a placebo program: estimate, p-value of the dealing test, and that of t.

    Parameters
    ----------
    data
        A study's tables.
    programs
        How many.
    seed
        Of the dealings.
    case
        One of `CASES`.
    outcome
        The study's own where empty; in points, unless it ends with `LOGODDS`.
    """
    spec = Spec(outcome=outcome.removesuffix(LOGODDS) or Spec().outcome)
    spec = dataclasses.replace(spec, scale="logodds" if outcome.endswith(LOGODDS) else "points")
    own = build_sample(data, spec, list(data.starts))
    starts = [data.starts[code] for code in own.treated]
    panel = build_panel(data, spec.outcome, spec.edition)
    clock = clock_of(data.state, data.starts, own.treated)
    used = sorted({year for start in clock.starts for year in clock.school_years(own.contrast.years, start)})
    rates = panel.rates[:, [panel.years.index(year) for year in used]]
    full = ~np.isnan(rates).any(axis=1)
    there = {code: row[0] for code, row, whole in zip(panel.codes, rates, full, strict=True) if whole}
    before = {code: rate for code, rate in there.items() if code not in data.starts}
    of = _families(before, FAMILY if case in (WITHIN, WHOLE) else -(-len(before) // 3))
    nesting: dict[str, Nesting] = {WITHIN: "stratum", WHOLE: "cluster"}
    spec = dataclasses.replace(spec, nested=nesting.get(case, "none"))
    rng, rows = np.random.default_rng(seed), []
    for program in range(programs):
        begun = _begun(rng, of, starts, case)
        lots = of if case == LOTS else {}
        placebo = dataclasses.replace(panel, starts=begun, ends={}, parents=of, lots=lots)
        others = tuple(code for code in of if code not in begun)
        effect = fit(sample_of_codes(placebo, dataclasses.replace(spec, seed=program), tuple(begun), others), DRAWS)
        rows.append(
            {
                "estimate_pp": effect.estimate_pp,
                "p_dealt": effect.test.p_value,
                "p_t": effect.spread.p_value(effect.test.estimate),
                "n_treated": len(effect.sample.treated),
                "n_comparison": len(effect.sample.comparison),
            }
        )
    return pd.DataFrame(rows)


def _families(before: dict[str, float], size: int) -> dict[str, str]:
    """Return unit -> INVENTED larger unit: those next to each other before are of one."""
    ranked = sorted(before, key=lambda code: before[code])
    family = {code: f"{rank // size:03d}" for rank, code in enumerate(ranked)}
    return {code: family[code] for code in before}


def _begun(rng: np.random.Generator, of: dict[str, str], starts: list[str], case: str) -> dict[str, str]:
    """Return treated unit -> start of one placebo program."""
    families = sorted(set(of.values()))
    if case == WHOLE:
        kinds = sorted(set(starts))
        drawn = rng.permutation(families)[: max(FEWEST, len(starts) // FAMILY)].tolist()
        return {code: kinds[drawn.index(of[code]) % len(kinds)] for code in of if of[code] in drawn}
    picked = rng.permutation(list(of)).tolist()
    if case == LOTS:  # as many from each stratum, in turn
        seen = Counter[str]()
        place = {}
        for code in picked:
            place[code], seen[of[code]] = seen[of[code]], seen[of[code]] + 1
        picked.sort(key=lambda code: (place[code], of[code]))
    return dict(zip(picked[: len(starts)], starts, strict=True))


def summary(study: str, case: str, programs: pd.DataFrame, outcome: str) -> dict[str, object]:
    """Return a row of the kept table: shares of true zeros that each test rejects at 5%."""
    return {
        "study": study,
        "dealt": case,
        "outcome": outcome,
        "programs": len(programs),
        "n_treated": round(programs["n_treated"].mean()),
        "n_comparison": round(programs["n_comparison"].mean()),
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
        own = [(case, Spec().outcome) for case in CASES]
        for case, outcome in [*own, *([(ANY, OTHER[study])] if study in OTHER else [])]:
            rows.append(summary(study, case, dealt(load_study(), asked.programs, SEED, case, outcome), outcome))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).round(4)
    write_text_atomic(asked.out, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()

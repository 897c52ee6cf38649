"""A block as the tables that an analyst would hold: student-months, visit log, and the truth beside them."""

import numpy as np
import pandas as pd

from leapstudy.core.names import ALL_DISTRICTS, WAITING
from leapstudy.students.contract import GRADES, SUPPORTS, VISIT_TYPES
from leapstudy.students.simulate.blocks import Block
from leapstudy.students.simulate.config import SimulationConfig
from leapstudy.students.simulate.referral import plans

TYPE_SHARES = (0.60, 0.25, 0.15)
SUPPORT_SHARE = 0.15


def student_months(block: Block, config: SimulationConfig) -> pd.DataFrame:
    """Return the block's rows of the table `STUDENT_MONTH`, student by student, without the months after leaving."""
    students, months = block.absent.shape
    who, when = (index.ravel()[block.present.ravel()] for index in np.indices((students, months)))
    enrolled = block.days[when]
    return pd.DataFrame(
        {
            "student": pd.Categorical.from_codes(who, pd.Index(block.student)),
            "district_code": pd.Categorical.from_codes(np.zeros_like(who), pd.Index([block.district_code])),
            "school_code": pd.Categorical(block.school)[who],
            "grade": pd.Categorical.from_codes(block.grade[who, when // 10], pd.Index(GRADES)),
            "month": config.months[when].astype("datetime64[s]"),
            "days_enrolled": enrolled.astype("int16"),
            "days_attended": (enrolled - block.absent[who, when]).astype("int16"),
            "first_visit_month": block.cohort[who].astype("datetime64[s]"),
            "high_needs": block.high_needs[who],
        }
    )


def _supports(rows: int, rng: np.random.Generator) -> list[str]:
    given = rng.random((rows, len(SUPPORTS))) < SUPPORT_SHARE
    return [";".join(name for name, is_given in zip(SUPPORTS, row, strict=True) if is_given) for row in given]


def visit_log(block: Block, config: SimulationConfig) -> pd.DataFrame:
    """Return the rows of the table `VISITS`: every referral with its first attempt, then the further visits."""
    plan = plans(config, block.district_code, block.referrals, block.absent_without, block.days)
    first, referral, attempt, rng = plan.who, plan.referral, plan.attempt, plan.rng
    met = block.referrals.completed[first]
    again = np.repeat(np.arange(len(first)), plan.further * met)
    visit_date = np.concatenate([attempt, attempt[again] + rng.integers(15, 150, len(again))])
    rows = np.concatenate([first, first[again]])
    return pd.DataFrame(
        {
            "student": block.student[rows],
            "district_code": block.district_code,
            "referral_date": np.concatenate([referral, referral[again]]).astype("datetime64[s]"),
            "visit_date": visit_date.astype("datetime64[s]"),
            "type": rng.choice(VISIT_TYPES, len(rows), p=TYPE_SHARES),
            "completed": np.concatenate([met, rng.random(len(again)) < config.visits.completed]),
            "supports": _supports(len(rows), rng),
        }
    )


def draw_list(block: Block, config: SimulationConfig) -> pd.DataFrame:
    """Return the block's part of the list of the lottery: unit, stratum (the district), phase; empty without one."""
    if config.visits.offer is None:
        return pd.DataFrame({"unit": [], "stratum": [], "phase": []})
    names, drawn = [*config.visits.offer.starts, WAITING], block.referrals.phase >= 0
    phases = [names[place] for place in block.referrals.phase[drawn]]
    return pd.DataFrame({"unit": block.student[drawn], "stratum": block.district_code, "phase": phases})


def truth_sums(block: Block, config: SimulationConfig) -> pd.DataFrame:
    """Return sums of true effects over visited student-months by district, cohort and months since the first visit.

    Columns: district_code, cohort (``YYYY-MM``), event_time, students, sum_pp.
    """
    event = (config.months[None, :] - block.cohort[:, None]).astype(float)
    who, when = np.nonzero((event >= 0) & block.present)
    gain = 100 * (block.absent_without - block.absent)[who, when] / block.days[when]
    cells = pd.DataFrame(
        {
            "district_code": block.district_code,
            "cohort": block.cohort[who].astype(str),
            "event_time": event[who, when].astype(int),
            "students": 1,
            "sum_pp": gain,
        }
    )
    return cells.groupby(["district_code", "cohort", "event_time"], as_index=False).sum()


def truth_table(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the mean true effect by cell, and over all districts and cohorts by event time (`ALL`).

    Columns: district_code, cohort, event_time, students, effect_pp (mean percentage points, ceiling included).
    """
    key = ["district_code", "cohort", "event_time"]
    cells = sums.groupby(key, as_index=False)[["students", "sum_pp"]].sum()
    pooled = cells.groupby("event_time", as_index=False)[["students", "sum_pp"]].sum()
    pooled = pooled.assign(district_code=ALL_DISTRICTS, cohort=ALL_DISTRICTS)
    table = pd.concat([cells, pooled], ignore_index=True)
    return table.assign(effect_pp=table["sum_pp"] / table["students"])[[*key, "students", "effect_pp"]]

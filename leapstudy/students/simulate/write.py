"""Write the SIMULATED state, block by block and atomically: student-months, visits, outcomes, truth and manifest.

Outcomes beyond attendance say what missed days do to marks, courses and incidents, twice. Both worlds, with and without
the visits, use the same draws, so that the truth is a difference. A visit moves these outcomes through attendance
alone, and leaving not at all. Rows are spoiled at known rates, so that a test knows how many faults `leapstudy check`
must find.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.core.names import ALL_DISTRICTS, WAITING
from leapstudy.students.contract import GRADES, SUPPORTS, VISIT_TYPES
from leapstudy.students.simulate.blocks import Block, plans, simulate
from leapstudy.students.simulate.config import DAY, MONTH, DirtKind, SimulationConfig, WrongCodes, load_config

Spoil = Callable[[pd.DataFrame, np.random.Generator, WrongCodes], pd.DataFrame]
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
    flags = rng.random((rows, len(SUPPORTS))) < SUPPORT_SHARE
    return [";".join(name for name, is_given in zip(SUPPORTS, row, strict=True) if is_given) for row in flags]


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
    names, in_lottery = [*config.visits.offer.starts, WAITING], block.referrals.phase >= 0
    phases = [names[place] for place in block.referrals.phase[in_lottery]]
    return pd.DataFrame({"unit": block.student[in_lottery], "stratum": block.district_code, "phase": phases})


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


# First and one past the last school month of each term of a year: September to January, February to June.
TERMS = ((0, 5), (5, 10))
SCALE, COURSES = 4, 6
# Months after the visit's month within which the last value of `enrolled` counts.
WITHIN = 6


def outcome_rows(block: Block, config: SimulationConfig, absent: np.ndarray) -> pd.DataFrame:
    """Return the rows of the table `OUTCOMES` for a block, from days absent in one of both worlds.

    Rows come in the same order for both worlds; `who` is the place of the student in the block.
    """
    rng = np.random.default_rng([config.seed, int(block.district_code), 5, len(block.student)])
    ability = rng.standard_normal(len(block.student))
    years = len(config.absence.year)
    parts = [_enrolled(block, config)]
    for year in range(years):
        for first, last in TERMS:
            months = slice(10 * year + first, 10 * year + last)
            parts += _term(block, config, absent, months, ability, rng)
        parts.append(_chronic(block, config, absent, slice(10 * year, 10 * year + 10)))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(student=block.student[rows["who"]], status="final")


def _rows(
    block: Block, config: SimulationConfig, name: str, months: slice, value: np.ndarray, of: float
) -> pd.DataFrame:
    """Return one row a student who is there to the end of the period."""
    first, last = config.months[months.start], config.months[months.stop - 1]
    who = np.flatnonzero(block.present[:, months.stop - 1])
    end = np.datetime64(last + MONTH, "D") - DAY
    return pd.DataFrame(
        {
            "who": who,
            "outcome": name,
            "period_start": pd.Timestamp(first),
            "period_end": pd.Timestamp(end),
            "value": np.asarray(value, dtype=float)[who],
            "of": float(of),
        }
    )


def _term(
    block: Block,
    config: SimulationConfig,
    absent: np.ndarray,
    months: slice,
    ability: np.ndarray,
    rng: np.random.Generator,
) -> list[pd.DataFrame]:
    # imported here because it is slow to import and only this asks for it
    from scipy import stats

    days = int(block.days[months].sum())
    share = absent[:, months].sum(axis=1) / days
    noise, failing, trouble = rng.standard_normal(len(share)), rng.random(len(share)), rng.random(len(share))
    marks = SCALE * np.clip(0.85 + 0.08 * ability + 0.05 * noise - 1.2 * share, 0, 1)
    failed = stats.binom.ppf(failing, COURSES, expit(-2.6 - 0.6 * ability + 6 * share))
    incidents = stats.poisson.ppf(trouble, days * (0.004 + 0.02 * share))
    return [
        _rows(block, config, "grades", months, marks, SCALE),
        _rows(block, config, "courses_failed", months, failed, COURSES),
        _rows(block, config, "incidents", months, incidents, days),
    ]


def _chronic(block: Block, config: SimulationConfig, absent: np.ndarray, months: slice) -> pd.DataFrame:
    missed, days = absent[:, months].sum(axis=1), int(block.days[months].sum())
    return _rows(block, config, "chronic_absence", months, 10 * missed >= days, 1)


def _enrolled(block: Block, config: SimulationConfig) -> pd.DataFrame:
    who, when = (index.ravel() for index in np.indices(block.present.shape))
    start = config.months[when]
    return pd.DataFrame(
        {
            "who": who,
            "outcome": "enrolled",
            "period_start": start.astype("datetime64[s]"),
            "period_end": ((start + MONTH).astype("datetime64[D]") - DAY).astype("datetime64[s]"),
            "value": block.present.ravel().astype(float),
            "of": 1.0,
        }
    )


def outcome_truth(block: Block, config: SimulationConfig) -> pd.DataFrame:
    """Return sums of true effects over visited students by outcome: outcome, students, sum_pp."""
    rows = outcome_rows(block, config, block.absent)
    rows["gap"] = 100 * (rows["value"] - outcome_rows(block, config, block.absent_without)["value"]) / rows["of"]
    rows["cohort"] = block.cohort[rows["who"]].astype("datetime64[s]")
    months = {name: rows[name].dt.year * 12 + rows[name].dt.month for name in ("period_start", "period_end", "cohort")}
    since, end = months["period_start"] - months["cohort"], months["period_end"] - months["cohort"]
    last = rows["outcome"] == "enrolled"
    after = rows[(since > 0) & (~last | (end <= WITHIN))].sort_values("period_end", kind="stable")
    ends = {name: after[after["outcome"] == name].groupby("who")["gap"] for name in after["outcome"].unique()}
    gaps = {name: own.last() if name == "enrolled" else own.first() for name, own in ends.items()}
    return pd.DataFrame(
        {
            "outcome": list(gaps),
            "students": [len(gap) for gap in gaps.values()],
            "sum_pp": [gap.sum() for gap in gaps.values()],
        }
    )


def _over(low: int, high: int) -> Spoil:
    def spoil(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
        """Let days attended exceed days enrolled by `low` to `high`."""
        return rows.assign(days_attended=rows["days_enrolled"] + rng.integers(low, high + 1, len(rows)))

    return spoil


def _zero_membership(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(days_enrolled=0, days_attended=0)


def _with_copies(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    shorter = rows["days_enrolled"] - 3
    copies = rows.assign(days_enrolled=shorter, days_attended=rows["days_attended"].clip(upper=shorter))
    return pd.concat([rows, copies])


def _conflicting(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    other = rows["days_attended"] - 1
    return pd.concat([rows, rows.assign(days_attended=other.where(other >= 0, 1))])


def _two_districts(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    days_there = rows["days_attended"].clip(upper=2)
    home = rows.assign(days_enrolled=rows["days_enrolled"] - 2, days_attended=rows["days_attended"] - days_there)
    home["days_attended"] = home["days_attended"].clip(upper=home["days_enrolled"])
    return pd.concat([home, rows.assign(district_code=wrong.elsewhere, days_enrolled=2, days_attended=days_there)])


def _lost_zeros(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(district_code=rows["district_code"].str.lstrip("0"))


def _unknown_district(rows: pd.DataFrame, rng: np.random.Generator, wrong: WrongCodes) -> pd.DataFrame:
    return rows.assign(district_code=wrong.nowhere)


ROW_SPOILERS: dict[DirtKind, Spoil] = {
    "over_by_two": _over(1, 2),
    "over_by_more": _over(3, 8),
    "zero_membership": _zero_membership,
    "repeated": _with_copies,
    "conflicting": _conflicting,
    "two_districts": _two_districts,
    "lost_zeros": _lost_zeros,
    "unknown_district": _unknown_district,
}


def _stop_feeds(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Let whole school-months look perfect until about `share` of the rows do."""
    group = rows.groupby(["school_code", "month"], observed=True).ngroup().to_numpy()
    order = rng.permutation(group.max() + 1)
    totals = np.cumsum(np.bincount(group)[order])
    is_stopped = np.isin(group, order[: int(np.searchsorted(totals, share * len(rows)))])
    return rows.assign(days_attended=rows["days_attended"].mask(is_stopped, rows["days_enrolled"])), is_stopped


def spoil(
    rows: pd.DataFrame, rates: dict[DirtKind, float], wrong: WrongCodes, seed: list[int]
) -> tuple[pd.DataFrame, dict[DirtKind, int]]:
    """Return the rows with faults, and how many rows were spoilt by kind; no row is spoilt twice.

    Parameters
    ----------
    rows
        Clean rows as made by `student_months`; not changed.
    rates
        Share of rows by kind of fault.
    wrong
        Codes of districts that are not a row's own.
    seed
        What the choice of rows depends on.
    """
    if not rates:
        return rows, {}
    rng = np.random.default_rng(seed)
    codes = rows["district_code"].astype(str)
    rows, is_stopped = _stop_feeds(rows.assign(district_code=codes), rates.get("stopped_feed", 0), rng)
    counts: dict[DirtKind, int] = {"stopped_feed": int(is_stopped.sum())}
    free = rng.permutation(np.flatnonzero(~is_stopped))
    parts = []
    for kind, change in ROW_SPOILERS.items():
        size = round(rates.get(kind, 0) * len(rows))
        if kind == "lost_zeros" and not codes.iloc[0].startswith("0"):
            size = 0
        places, free = free[:size], free[size:]
        counts[kind] = len(places)
        parts.append(change(rows.iloc[places], rng, wrong))
    clean = rows[is_stopped | np.isin(np.arange(len(rows)), free)]
    return pd.concat([clean, *parts], ignore_index=True), counts


MARK = {b"leapstudy": b"SIMULATED"}
TEXT = pa.dictionary(pa.int32(), pa.string())
PANEL = pa.schema(
    [
        ("student", TEXT),
        ("district_code", TEXT),
        ("school_code", TEXT),
        ("grade", TEXT),
        ("month", pa.date32()),
        ("days_enrolled", pa.int16()),
        ("days_attended", pa.int16()),
        ("first_visit_month", pa.date32()),
        ("high_needs", pa.bool_()),
    ],
    metadata=MARK,
)
VISIT_LOG = pa.schema(
    [
        ("student", pa.string()),
        ("district_code", TEXT),
        ("referral_date", pa.date32()),
        ("visit_date", pa.date32()),
        ("type", TEXT),
        ("completed", pa.bool_()),
        ("supports", pa.string()),
    ],
    metadata=MARK,
)

OUTCOMES = pa.schema(
    [
        ("student", TEXT),
        ("outcome", TEXT),
        ("period_start", pa.date32()),
        ("period_end", pa.date32()),
        ("value", pa.float32()),
        ("of", pa.float32()),
        ("status", TEXT),
    ],
    metadata=MARK,
)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The files of one simulated state; `truth` is a CSV, `manifest` says what made them.

    `draw` is the list of the lottery, there only where lots were drawn.
    """

    panel: Path
    visits: Path
    truth: Path
    manifest: Path
    draw: Path
    outcomes: Path
    outcome_truth: Path

    @classmethod
    def at(cls, panel: Path) -> "Simulation":
        """Return the names of the files that stand beside `panel`."""
        return cls(
            panel,
            panel.with_suffix(".visits.parquet"),
            panel.with_suffix(".truth.csv"),
            panel.with_suffix(".manifest.json"),
            panel.with_suffix(".draw.csv"),
            panel.with_suffix(".outcomes.parquet"),
            panel.with_suffix(".outcome_truth.csv"),
        )


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Give a function that appends a frame; the file appears only when all went well."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield lambda frame: writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _key(config: SimulationConfig) -> str:
    """Return a hash of the parameters and of the generator's own source."""
    sources = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return sha256_bytes(config.model_dump_json().encode() + b"".join(sources))


def require_own(out: Path) -> None:
    """Refuse to write over what no simulation wrote; a file of text is one's where the panel beside it is marked.

    Raises
    ------
    BadInput
        With the name of the first file that is in the way.
    """
    for name in Simulation.__slots__:
        file = getattr(Simulation.at(out), name)
        if file.exists() and not _is_marked(file if file.suffix == ".parquet" else out):
            raise BadInput(f"{file.name} is there and is no simulation; nothing is written over it. Name another.")


def _is_marked(file: Path) -> bool:
    try:
        return MARK.items() <= (pq.read_schema(file).metadata or {}).items()
    except (OSError, pa.ArrowException):  # a folder, nothing, or another kind of file
        return False


def write_simulation(out: Path, config: SimulationConfig) -> Simulation:
    """Write a SIMULATED state to `out` and, beside it, the visit log, the truth and the manifest.

    Memory is bounded by one block of 50,000 students.

    Raises
    ------
    BadInput
        If `out` does not end in ``.parquet`` or its folder cannot be made.
    """
    if out.suffix != ".parquet":
        raise BadInput(f"The simulated panel is a parquet file; {out.name!r} does not end in .parquet.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {str(out.parent)!r} cannot be made: {error.strerror}. Choose another.") from None
    files, sums, faults, totals = Simulation.at(out), [], Counter[str](), Counter[str]()
    lists = []
    gains = []
    with (
        _parquet(files.panel, PANEL) as add_rows,
        _parquet(files.visits, VISIT_LOG) as add_visits,
        _parquet(files.outcomes, OUTCOMES) as add_outcomes,
    ):
        for number, block in enumerate(simulate(config)):
            rows, counts = spoil(
                student_months(block, config), config.dirt, config.wrong_codes, [config.seed, 4, number]
            )
            add_rows(rows)
            add_visits(visit_log(block, config))
            add_outcomes(outcome_rows(block, config, block.absent))
            gains.append(outcome_truth(block, config))
            sums.append(truth_sums(block, config))
            lists.append(draw_list(block, config))
            faults.update(counts)
            totals.update(rows=len(rows), students=len(block.student), visited=int(block.referrals.completed.sum()))
    truth = truth_table(pd.concat(sums)).assign(simulated=True)
    write_text_atomic(files.truth, truth.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    _write_outcome_truth(files.outcome_truth, pd.concat(gains))
    files.draw.unlink(missing_ok=True)
    if config.visits.offer is not None:
        write_text_atomic(files.draw, "# SIMULATED\n" + pd.concat(lists).to_csv(index=False, lineterminator="\n"))
    manifest = {"simulated": True, "key": _key(config), **totals, "dirt": faults, "null_district": config.null_code}
    manifest["config"] = config.model_dump(mode="json")
    write_text_atomic(files.manifest, json.dumps(manifest, indent=2) + "\n")
    return files


def _write_outcome_truth(path: Path, sums: pd.DataFrame) -> None:
    table = sums.groupby("outcome", as_index=False)[["students", "sum_pp"]].sum()
    table = table.assign(effect_pp=table["sum_pp"] / table["students"], simulated=True).drop(columns="sum_pp")
    write_text_atomic(path, table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def default_simulation(config: SimulationConfig | None = None, folder: Path | None = None) -> Simulation:
    """Return the simulated state that is the student track's default input; made anew only if something changed."""
    settings = config or load_config()
    files = Simulation.at((folder or paths.derived() / "simulated") / "students.parquet")
    parts = (files.panel, files.visits, files.truth, files.manifest, files.outcomes, files.outcome_truth)
    if all(part.is_file() for part in parts):
        manifest = json.loads(files.manifest.read_text(encoding="utf-8"))
        if manifest.get("key") == _key(settings):
            return files
    return write_simulation(files.panel, settings)

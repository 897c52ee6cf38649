"""Write the SIMULATED state: panel, visit log, truth and manifest, block by block and atomically."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_text_atomic
from leapstudy.students.simulate.blocks import simulate
from leapstudy.students.simulate.config import SimulationConfig, load_config
from leapstudy.students.simulate.rows import (
    draw_list,
    outcome_rows,
    outcome_truth,
    spoil,
    student_months,
    truth_sums,
    truth_table,
    visit_log,
)

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

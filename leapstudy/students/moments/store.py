"""Moments on disk: what was made from which data, and nothing that was made from others is taken for it."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import leapstudy
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_bytes, write_bytes_atomic
from leapstudy.students.moments.record import CELL_FIELDS, Moments

KEY = b"leapstudy.moments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What moments were made from; two files are the same only if all of it is.

    Attributes
    ----------
    data : str
        SHA-256 of the files, see `leapstudy.students.settings.input_hashes`.
    weights, event, strata : as given to `moments_of`
    design : str
        Of the risk sets; '' for the moments of all students.
    version : str
        Of the package.
    """

    data: str
    weights: str = "students"
    event: str = "visit"
    strata: tuple[str, ...] = ()
    design: str = ""
    version: str = leapstudy.__version__


def save_moments(path: Path, moments: Moments, made: Made) -> None:
    """Write moments to a parquet file, atomically; the cells are confidential like the counts in them."""
    save_sets(path, {0: moments}, made)


def load_moments(path: Path, made: Made) -> Moments:
    """Read moments back; see `load_sets`."""
    return load_sets(path, made)[0]


def save_sets(path: Path, sets: Mapping[int, Moments], made: Made) -> None:
    """Write the moments of risk sets, by month, to one parquet file, atomically.

    Raises
    ------
    BadInput
        If the folder cannot be written.
    """
    table = pa.concat_tables([_table(month, moments) for month, moments in sets.items()])
    first = next(iter(sets.values()))
    head = {"made": asdict(made), "periods": first.periods.tolist(), "shift": first.shift, "sum": _sum_of(sets)}
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(head).encode()}), sink, compression="zstd")
    try:
        write_bytes_atomic(path, sink.getvalue())
    except OSError as error:
        raise BadInput(
            f"The moments cannot be written to {path.name}: {error.strerror}. Choose another folder."
        ) from None


def load_sets(path: Path, made: Made) -> dict[int, Moments]:
    """Read the moments of risk sets back.

    Raises
    ------
    BadInput
        If the file is missing, broken, changed by hand, or made from something else than `made` says.
    """
    table, head = _read(path)
    found = head["made"] | {"strata": tuple(head["made"]["strata"])}
    differing = [name for name, value in asdict(made).items() if found.get(name) != value]
    if differing:
        raise BadInput(f"{path.name} was made with other {', '.join(differing)}. Compute the moments again.")
    months = table["set"].to_numpy()
    sets = {int(month): _moments(table.filter(pa.array(months == month)), head) for month in np.unique(months)}
    if head["sum"] != _sum_of(sets):
        raise BadInput(f"{path.name} was changed after it was written. Delete it and compute the moments again.")
    return sets


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    if not path.is_file():
        raise BadInput(f"There is no {path.name}. Compute the moments first.")
    try:
        table = pq.read_table(path)
        return table, json.loads((table.schema.metadata or {})[KEY])
    except (pa.ArrowException, OSError, KeyError, ValueError):
        pass
    raise BadInput(f"{path.name} is no file of moments, or it is cut off. Delete it and compute the moments again.")


def _table(month: int, moments: Moments) -> pa.Table:
    fields = {name: getattr(moments, name) for name in CELL_FIELDS}
    cells = {
        name: pa.array(list(values.reshape(len(values), -1))) if values.ndim > 1 else pa.array(values)
        for name, values in fields.items()
    }
    return pa.table({"set": pa.array(np.full(moments.cells, month)), **cells})


def _moments(table: pa.Table, head: Mapping[str, Any]) -> Moments:
    periods = np.array(head["periods"])
    shapes = {
        "cross": (-1, len(periods), len(periods)),
        **dict.fromkeys(("seen", "total", "total_sq"), (-1, len(periods))),
    }
    fields = {}
    for name in CELL_FIELDS:
        column = table[name].combine_chunks()
        values = column.flatten() if name in shapes else column
        array = np.asarray(values.to_numpy(zero_copy_only=False))
        fields[name] = array.reshape(shapes[name]) if name in shapes else array
    for name in ("district", "stratum"):
        fields[name] = fields[name].astype(str)
    return Moments(periods=periods, shift=head["shift"], **fields)


def _sum_of(sets: Mapping[int, Moments]) -> str:
    """Return a hash of every number and name, however the file is compressed."""
    parts = []
    for month, moments in sorted(sets.items()):
        parts.append(f"{month} {moments.shift!r} {moments.periods.tolist()}".encode())
        for name in CELL_FIELDS:
            values = getattr(moments, name)
            parts.append("\n".join(values).encode() if values.dtype.kind == "U" else values.astype(float).tobytes())
    return sha256_bytes(b"\n".join(parts))

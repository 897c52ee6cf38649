"""Students' numbers become keyed pseudonyms (HMAC-SHA-256) with a prefix that tells them on any page."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import read_text
from leapstudy.students.engine import lend, sealed
from leapstudy.students.guard import DIGITS, KEY_FILE_VARIABLE, KEY_VARIABLE, PATTERN, PREFIX, SHORTEST_KEY

FEWEST_LETTERS = 8


def load_key() -> bytes:
    """Return the key from the environment, or from a file outside the workspace; it is never stored or shown.

    Raises
    ------
    BadInput
        If there is none, it is short, or its file lies in the workspace.
    """
    text, file = os.environ.get(KEY_VARIABLE, ""), os.environ.get(KEY_FILE_VARIABLE, "")
    if not text and file:
        place = Path(file).resolve()
        if place.is_relative_to(paths.root().resolve()):
            raise BadInput(f"The file named by {KEY_FILE_VARIABLE} lies inside the workspace. Move it out of it.")
        if not place.is_file():
            raise BadInput(f"The file named by {KEY_FILE_VARIABLE} does not exist.")
        if place.stat().st_mode & 0o077:
            raise BadInput(
                f"Others than you may read or change the file named by {KEY_FILE_VARIABLE}. Make it yours alone: "
                f"chmod 600."
            )
        text = read_text(place).strip()
    if len(text) < SHORTEST_KEY:
        raise BadInput(
            f"Students' own numbers need a secret key of at least {SHORTEST_KEY} characters. Set {KEY_VARIABLE}, or "
            f"{KEY_FILE_VARIABLE} to a file outside the workspace, and keep it: the same key gives the same pseudonyms."
        )
    if len(set(text)) < FEWEST_LETTERS:
        raise BadInput(
            f"The key for students' numbers has fewer than {FEWEST_LETTERS} different characters and could be guessed. "
            "Draw one: python -c 'import secrets; print(secrets.token_hex(32))'."
        )
    return text.encode("utf-8")


def pseudonym(raw: str, key: bytes) -> str:
    """Return the pseudonym of one student's number: the prefix and 50 bits of its HMAC, twelve characters in all."""
    digest = hmac.new(key, raw.encode("utf-8"), hashlib.sha256).digest()
    return PREFIX + base64.b32encode(digest)[:DIGITS].decode("ascii").lower()


def has_raw_ids(table: Table) -> bool:
    """Say whether any id of the table is not a pseudonym."""
    raw = ~table.student.re_search(f"^{PATTERN}$")
    return bool(sealed("looking at the kind of ids", table.aggregate(found=raw.any()).to_pyarrow)["found"][0].as_py())


def pseudonymize(con: BaseBackend, table: Table, key: bytes) -> Table:
    """Return the table with pseudonyms for ids; the list of both lives in the engine's memory only.

    Raises
    ------
    BadInput
        If two students would share a pseudonym (1 in 2,000 for a million students): choose another key.
    """
    distinct = table.filter(table.student.notnull()).select("student").distinct()
    ids = sealed("listing the ids", distinct.to_pyarrow)["student"].to_pylist()
    made = [pseudonym(raw, key) for raw in ids]
    if len(set(made)) < len(ids):
        raise BadInput("Two students would share a pseudonym under this key. Choose another key.")
    pairs = lend(con, pa.table({"raw": ids, "made": made}))
    joined = table.left_join(pairs, table.student == pairs.raw)
    return joined.mutate(student=joined.made).select(*table.columns)


def own_ids(raw: Table, wanted: frozenset[str]) -> dict[str, str]:
    """Return pseudonym -> the state's own number, of the students wanted; empty where the files hold pseudonyms.

    Only for the private list of a lottery: whoever visits must know whom. It takes the key that made the pseudonyms.

    Raises
    ------
    BadInput
        As `load_key`.
    """
    if not has_raw_ids(raw):
        return {}
    key = load_key()
    ids = sealed("listing the ids", raw.select("student").distinct().to_pyarrow)["student"].to_pylist()
    return {made: own for own in ids if own is not None and (made := pseudonym(own, key)) in wanted}

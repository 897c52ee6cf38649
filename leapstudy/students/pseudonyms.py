"""Students' numbers become keyed pseudonyms (HMAC-SHA-256) with a prefix that tells them on any page."""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

import ibis
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import read_text
from leapstudy.students.engine import held, keep, lent, sealed
from leapstudy.students.guard import DIGITS, KEY_FILE_VARIABLE, KEY_VARIABLE, PATTERN, PREFIX, SHORTEST_KEY

FEWEST_LETTERS = 8
NAME_IT = (
    "Name the file that holds your key by its full path. If you never had one, make it outside this folder and keep "
    "it: (umask 077; python -c 'import secrets; print(secrets.token_hex(32))' > FILE)"
)
# Ids that are outside the engine at a time.
AT_ONCE = 50_000


def load_key() -> bytes:
    """Return the key from the environment, or from a file outside the workspace; it is never stored or shown.

    Raises
    ------
    BadInput
        If there is none, it is short, or its file lies in the workspace.
    """
    text, file = os.environ.get(KEY_VARIABLE, ""), os.environ.get(KEY_FILE_VARIABLE, "")
    if not text and file:
        text = _key_in(Path(file))
        if len(text) < SHORTEST_KEY:
            raise BadInput(f"The file named by {KEY_FILE_VARIABLE} holds fewer than {SHORTEST_KEY} letters. {NAME_IT}")
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


def _key_in(place: Path) -> str:
    """Return what a key's file holds, if that is a file of one's own and outside the workspace."""
    try:
        mode = place.stat().st_mode  # of what is there, so that the path below is no loop of links
    except OSError as error:
        raise BadInput(f"The file named by {KEY_FILE_VARIABLE} cannot be read ({error.strerror}). {NAME_IT}") from None
    if place.resolve().is_relative_to(paths.root().resolve()):
        raise BadInput(f"The file named by {KEY_FILE_VARIABLE} lies inside the workspace. Move it out of it.")
    if not S_ISREG(mode):
        raise BadInput(f"{KEY_FILE_VARIABLE} names a folder, a pipe or a device, and no file. {NAME_IT}")
    if mode & 0o077:
        raise BadInput(
            f"Others than you may read or change the file named by {KEY_FILE_VARIABLE}. Make it yours alone: chmod 600."
        )
    return read_text(place, NAME_IT).strip()


def pseudonym(raw: str, key: bytes) -> str:
    """Return the pseudonym of one student's number: the prefix and 50 bits of its HMAC, twelve characters in all."""
    digest = hmac.new(key, raw.encode("utf-8"), hashlib.sha256).digest()
    return PREFIX + base64.b32encode(digest)[:DIGITS].decode("ascii").lower()


def has_raw_ids(table: Table) -> bool:
    """Say whether any id of the table is not a pseudonym."""
    raw = ~table.student.re_search(f"^{PATTERN}$")
    return bool(sealed("looking at the kind of ids", table.aggregate(found=raw.any()).to_pyarrow)["found"][0].as_py())


def pseudonymize(con: BaseBackend, table: Table, key: bytes) -> Table:
    """Return the table with pseudonyms for ids; the list of both lives in the engine only, and spills as rows do.

    Raises
    ------
    BadInput
        If two students would share a pseudonym (1 in 2,000 for a million students): choose another key.
    """
    parts = []
    for ids in listed_ids(table):
        with lent(con, pa.table({"raw": ids, "made": [pseudonym(raw, key) for raw in ids]})) as some:
            parts.append(keep(con, "listing the ids", some))
    if not parts:
        return table
    pairs = keep(con, "listing the ids", ibis.union(*parts)) if len(parts) > 1 else parts[0]
    collisions = pairs.aggregate(shared=pairs.count() > pairs.made.nunique())
    if sealed("comparing the pseudonyms", collisions.to_pyarrow)["shared"][0].as_py():
        raise BadInput("Two students would share a pseudonym under this key. Choose another key.")
    with_pseudonym = table.left_join(pairs, table.student == pairs.raw)
    return with_pseudonym.mutate(student=with_pseudonym.made).select(*table.columns)


def listed_ids(table: Table) -> Iterator[list[str]]:
    """Yield the different ids of a table, `AT_ONCE` at a time; the list itself never leaves the database."""
    distinct = table.filter(table.student.notnull()).select("student").distinct()
    numbers = distinct.mutate(number=ibis.row_number().over(ibis.window(order_by=distinct.student)))
    with held("listing the ids", numbers) as ids:
        last = sealed("counting the ids", ids.count().to_pyarrow).as_py()
        for first in range(0, last, AT_ONCE):
            some = ids.filter((ids.number >= first) & (ids.number < first + AT_ONCE)).select("student")
            yield sealed("listing the ids", some.to_pyarrow)["student"].to_pylist()


def own_ids(raw: Table, pseudonyms: frozenset[str]) -> dict[str, str]:
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
    every = (own for ids in listed_ids(raw) for own in ids)
    return {alias: own for own in every if (alias := pseudonym(own, key)) in pseudonyms}

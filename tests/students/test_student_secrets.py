"""What lies on disk beside the pages: the spill folder, the key, and the rights of files."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leapstudy.core.errors import BadInput
from leapstudy.core.files import PREFIX, write_text_atomic
from leapstudy.students.engine import connect, sealed
from leapstudy.students.guard import holds_key, key_mark
from leapstudy.students.pseudonyms import KEY_FILE_VARIABLE, KEY_VARIABLE, load_key

GOOD = "an invented key of forty characters, no more"
OPENS = """
from leapstudy.core.files import process_folder
from leapstudy.students.engine import connect
connect()
print(process_folder(), oct(process_folder().stat().st_mode)[-3:])
"""


def test_the_spill_folder_is_private_unguessable_and_gone_afterwards(tmp_path):
    stale = tmp_path / f"{PREFIX}{2**22 + 7}-old"  # no process has this number
    stale.mkdir()
    (stale / "rows").write_text("left by a killed run")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}{2**22 + 8}-link").symlink_to(elsewhere)
    told = subprocess.run(
        [sys.executable, "-c", OPENS],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert told[1] == "700" and Path(told[0]).name.startswith(PREFIX) and not Path(told[0]).exists()
    assert not stale.exists() and elsewhere.exists()


@pytest.mark.parametrize(("mode", "ok"), [(0o600, True), (0o400, True), (0o644, False), (0o606, False), (0o660, False)])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path, monkeypatch, mode, ok):
    file = tmp_path / "key"
    file.write_text(GOOD)
    file.chmod(mode)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(file))
    if ok:
        assert load_key() == GOOD.encode()
        return
    with pytest.raises(BadInput, match="chmod 600") as refused:
        load_key()
    assert GOOD not in str(refused.value)


def _no_key(folder: Path, what: str) -> Path:
    """Return the path of something that holds no key."""
    file = folder / "key"
    if what == "folder":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file, 0o600)
    elif what == "loop":
        file.symlink_to(file)
    elif what == "behind a file":
        file.write_text("x")
        return file / "key"
    elif what != "missing":
        file.write_text({"empty": "", "blank": " \n", "short": "only thirteen", "long": "x" * 1_000_001}[what])
        file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    "what", ["missing", "loop", "behind a file", "folder", "pipe", "empty", "blank", "short", "long"]
)
def test_what_holds_no_key_is_refused_with_a_next_step_that_works(tmp_path, monkeypatch, what):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(_no_key(tmp_path, what)))
    assert not holds_key(GOOD) and bool(key_mark()) == (what in ("short", "long")), "nobody waits for a pipe"
    with pytest.raises(BadInput, match="by its full path") as refused:
        load_key()
    step, made = re.search(r"\(umask .*\)$", str(refused.value)).group(), tmp_path / "made"
    typed = step.replace("python", sys.executable).replace("FILE", str(made))
    subprocess.run(["sh", "-c", typed], check=True, timeout=60)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(made))
    assert len(load_key()) == 64 and key_mark()


@pytest.mark.parametrize("key", ["a" * 40, "ab" * 20, "1234567" * 6])
def test_a_key_of_few_letters_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(BadInput, match="could be guessed") as refused:
        load_key()
    assert key not in str(refused.value)


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o027, 0o640)])
def test_files_have_the_rights_that_the_user_allows(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text_atomic(tmp_path / "page.html", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == mode


def test_an_engine_out_of_memory_says_what_to_raise():
    con = connect(memory_limit="30MB", threads=1)
    con.con.execute("SET temp_directory = ''")
    query = "CREATE TABLE t AS SELECT md5(i::varchar) AS t FROM range(3000000) s(i) ORDER BY t"
    with pytest.raises(BadInput, match=r"memory_limit in params/students.yml"):
        sealed("sorting", lambda: con.con.execute(query))

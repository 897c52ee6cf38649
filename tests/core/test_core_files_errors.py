"""Files appear whole or not at all; errors say what would have been right."""

import hashlib

import pytest

from leapstudy.core.errors import BadInput, bad_value, closest
from leapstudy.core.files import sha256_bytes, sha256_file, write_bytes_atomic, write_text_atomic
from leapstudy.core.names import Comparison, Scale, check_option, options


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    target = tmp_path / "figures.csv"
    write_text_atomic(target, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text_atomic(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["figures.csv"]


def test_hash_of_file_and_of_bytes_are_the_standard_one(tmp_path):
    write_bytes_atomic(tmp_path / "deep" / "a.bin", b"leap")
    assert sha256_file(tmp_path / "deep" / "a.bin") == sha256_bytes(b"leap") == hashlib.sha256(b"leap").hexdigest()


def test_bad_value_shows_value_suggestion_and_legal_ones():
    error = bad_value("comparison group", "aliance", ["alliance", "others"], "See params/study.yml.")
    assert isinstance(error, BadInput) and error.exit_code == 2
    assert str(error) == (
        "Unknown comparison group: 'aliance'. Did you mean 'alliance'? Legal: alliance, others. See params/study.yml."
    )


def test_closest_ignores_case_and_gives_nothing_far():
    assert closest("EAST-HARTFROD", ["east-hartford", "hartford"])[0] == "east-hartford"
    assert closest("zzz", ["alliance"]) == []


def test_options_are_the_declared_names():
    assert "logodds" in options(Scale)
    with pytest.raises(BadInput, match="Legal: points, logodds"):
        check_option("scale", "point", Scale)
    assert Comparison is not None

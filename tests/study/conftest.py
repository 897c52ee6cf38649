"""A workspace of its own whose student files are given."""

import shutil

import pandas as pd
import pytest
from own_files import NAMES, write_pair, write_settings

from leapstudy.core import paths


@pytest.fixture
def own_workspace(tmp_path, monkeypatch):
    """Return a function that makes a pair of files the input of a workspace of its own."""
    root, real = tmp_path / "workspace", paths.root()
    for name in ("data/raw", "params"):
        shutil.copytree(real / name, root / name)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    monkeypatch.setenv("LEAPSTUDY_STUDENT_KEY", "an invented key of forty characters, no more")

    def use(rows: pd.DataFrame, log: pd.DataFrame, **more: object) -> None:
        settings = write_pair(tmp_path / "private", rows, log)
        columns = {ours: theirs for ours, theirs in NAMES.items() if ours in rows or ours in log}
        write_settings(root, **{**settings, "columns": columns, **more})

    return use

"""Student files as a state or district would export them: invented ids, own column names, no mark of a simulation."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from commands import commands_in

from leapstudy.core import paths
from leapstudy.core.files import sha256_file
from leapstudy.data.raw import pin

MONTHS = pd.period_range("2020-09", "2022-06", freq="M")
SCHOOL_MONTHS = [month for month in MONTHS if month.month not in (7, 8)]
NAMES = {
    "student": "SASID",
    "district_code": "Reporting District",
    "school_code": "Sch",
    "grade": "Grade Level",
    "month": "Reporting Month",
    "days_enrolled": "Membership Days",
    "days_attended": "Days Present",
    "referral_date": "Referred On",
    "visit_date": "Visited On",
    "completed": "Met",
    "type": "How",
}
STUDENT_KEY = "an invented key of forty characters, no more"
# What a visit adds to the visited students' attendance rate, in points.
EFFECT_PP = 6.0


def students(districts: dict[str, int], seed: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return attendance and visit log: absence that comes in spells, referral at 10% of two months,
    a visit a month later.
    """
    rng = np.random.default_rng(seed)
    who = np.repeat(list(districts), list(districts.values()))
    n, months = len(who), len(SCHOOL_MONTHS)
    level = rng.normal(-3.3, 0.8, n)
    shock = np.zeros((n, months))
    for t in range(months):
        shock[:, t] = (0.6 * shock[:, t - 1] if t else 0) + rng.normal(0, 0.7, n)
    absence = 1 / (1 + np.exp(-(level[:, None] + shock)))
    days = np.full((n, months), 18)
    missed = rng.binomial(days, absence)
    share = (missed + np.roll(missed, 1, axis=1)) / 36
    eligible = (share >= 0.1) & (np.arange(months) >= 10)
    picked = eligible & (rng.random((n, months)) < 0.12)
    referred = np.where(picked.any(axis=1), picked.argmax(axis=1), -1)
    met = (referred >= 0) & (rng.random(n) < 0.75)
    since = np.arange(months)[None, :] - referred[:, None]
    helped = met[:, None] & (since >= 1)
    attended = days - missed + np.where(helped, np.minimum(missed, rng.binomial(18, EFFECT_PP / 100, (n, months))), 0)
    ids = [f"9{number:06d}" for number in rng.permutation(900_000)[:n]]
    rows = pd.DataFrame(
        {
            "student": np.repeat(ids, months),
            "district_code": np.repeat(who, months),
            "school_code": np.repeat([f"{code[:4]}{k % 3 + 1:02d}" for k, code in enumerate(who)], months),
            "grade": np.repeat([f"{k % 12 + 1:02d}" for k in range(n)], months),
            "month": np.tile([f"{month}-01" for month in SCHOOL_MONTHS], n),
            "days_enrolled": days.ravel(),
            "days_attended": attended.ravel(),
        }
    )
    log = []
    for k in np.flatnonzero(referred >= 0):
        start = SCHOOL_MONTHS[referred[k]].to_timestamp()
        day = start + pd.Timedelta(days=5)
        visit = (start + pd.Timedelta(days=12)).date() if met[k] else (start + pd.Timedelta(days=9)).date()
        log.append((ids[k], who[k], day.date(), visit, "In person" if met[k] else "phone", "Y" if met[k] else "N"))
    columns = ["student", "district_code", "referral_date", "visit_date", "type", "completed"]
    return rows, pd.DataFrame(log, columns=columns)


def workspace_at(root: Path, key: str = STUDENT_KEY) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Copy the workspace to a folder and return a function that runs a command in it, with a key for students."""
    for name in ("data/raw", "data/examples", "params", "notebooks"):
        if (paths.root() / name).is_dir():
            shutil.copytree(paths.root() / name, root / name)
    shutil.copy(paths.root() / "requirements.lock", root)
    env = {
        **os.environ,
        "LEAPSTUDY_ROOT": str(root),
        "LEAPSTUDY_STUDENT_KEY": key,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return commands_in(env)


def write_settings(root: Path, **changes: object) -> None:
    """Change params/students.yml of a workspace."""
    path = root / "params" / "students.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")


def write_pair(folder: Path, rows: pd.DataFrame, log: pd.DataFrame) -> dict[str, object]:
    """Write both as CSV under the district's own names; return the parameters that read them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows.rename(columns=NAMES).to_csv(folder / "attendance.csv", index=False)
    log.rename(columns=NAMES).to_csv(folder / "visits.csv", index=False)
    return {
        "input": str(folder / "attendance.csv"),
        "visits": str(folder / "visits.csv"),
        "columns": NAMES,
        "source": "student files of Springfield",
    }


def change_yaml(path, **changes):
    """Set values of a YAML file; `a__b` is `b` inside `a`."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *parts, last = key.split("__")
        target = content
        for part in parts:
            target = target[part]
        target[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def before_a_start(root: Path) -> None:
    """Take every start out of a workspace, as it is before a program begins."""
    register = root / "data" / "raw" / "leap_facts" / "units.csv"
    header, *_ = register.read_text(encoding="utf-8").splitlines(keepends=True)
    register.write_text(header, encoding="utf-8")
    pin(register.parent, {register.name: sha256_file(register)})

"""One way from a SIMULATED parquet file to an effect, in a process of its own: ``estimators.py WAY FILE [LIMIT]``.

Prints one line of JSON: wall and CPU seconds from the file to the effect, the CPU seconds of the whole process with its
imports, peak memory in MiB, and the effect with its standard error where the way has one. The files are written by
`students_moments.py`.
"""

import contextlib
import importlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

Effect = tuple[float, float | None]
Way = Callable[[str], Effect]
DAY_KEYS = "student, district_code, date_trunc('month', day)::date"


def rows_of(path: str) -> pd.DataFrame:
    """Return unit, period (0, 1, ...), cohort as a period (0: never), and attendance in points,
    as the packages want them.
    """
    frame = pd.read_parquet(path, columns=["student", "month", "days_enrolled", "days_attended", "first_visit_month"])
    when, first = (pd.to_datetime(frame[name]).to_numpy() for name in ("month", "first_visit_month"))
    months = np.unique(when)
    # first visits in summer count as in the next school month; the packages number periods from 1 and call 0 "never"
    place = np.searchsorted(months, first) + 1
    return pd.DataFrame(
        {
            "unit": pd.factorize(frame["student"])[0],
            "period": np.searchsorted(months, when) + 1,
            "cohort": np.where(np.isnat(first), 0, place),
            "y": 100.0 * frame["days_attended"] / frame["days_enrolled"],
        }
    )


def ours(limit: str, estimate: str) -> Way:
    """Return our way: moments from the file, then Callaway-Sant'Anna's average where it is asked for."""
    from leapstudy.did.staggered.att_gt import Choices, att_gt
    from leapstudy.did.staggered.effects import aggregate_influence, averages
    from leapstudy.students.engine import connect
    from leapstudy.students.moments.pivot import moments_of_panel
    from leapstudy.students.moments.record import covariance

    def way(path: str) -> Effect:
        moments = moments_of_panel(connect(limit, threads=2).read_parquet(path))
        if estimate == "moments":
            return float(moments.students.sum()), None
        # school months counted 0, 1, 2, ... as the packages count them; a first visit in summer counts in the next one
        place = np.searchsorted(moments.periods, moments.cohort).astype(float)
        cohort = np.where(np.isinf(moments.cohort), np.inf, place)
        moments = replace(moments, periods=np.arange(len(moments.periods)), cohort=cohort)
        att = att_gt(moments, Choices())
        made = averages(att, "simple")
        variance = covariance(moments, aggregate_influence(moments, att, made))[-1, -1]
        return float(made.overall), float(np.sqrt(variance))

    return way


def csdid(path: str) -> Effect:
    """Callaway-Sant'Anna by csdid."""
    from csdid.att_gt import ATTgt

    names = {"yname": "y", "tname": "period", "idname": "unit", "gname": "cohort"}
    model = ATTgt(**names, data=rows_of(path), control_group="nevertreated")
    found = model.fit(est_method="reg", bstrap=False).aggte("simple", bstrap=False).atte
    return float(found["overall_att"]), float(np.ravel(found["overall_se"])[0])


def diff_diff(path: str) -> Effect:
    """Callaway-Sant'Anna by diff-diff."""
    from diff_diff import CallawaySantAnna

    names = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    found = CallawaySantAnna(estimation_method="reg").fit(rows_of(path), **names)
    return float(found.overall_att), float(found.overall_se)


def moderndid(path: str) -> Effect:
    """Callaway-Sant'Anna by moderndid."""
    from moderndid import aggte, att_gt

    names = {"yname": "y", "tname": "period", "idname": "unit", "gname": "cohort"}
    found = aggte(att_gt(rows_of(path), **names, est_method="reg", boot=False, cband=False), type="simple", cband=False)
    return float(found.overall_att), float(found.overall_se)


def panelkit(path: str) -> Effect:
    """Callaway-Sant'Anna by panelkit, which wants units by periods and counts periods from 0."""
    from panelkit import CallawaySantAnna

    rows = rows_of(path)
    wide = rows.pivot(index="unit", columns="period", values="y").to_numpy()
    starts = rows.groupby("unit")["cohort"].first()
    found = CallawaySantAnna().fit(wide, [int(start) - 1 if start else None for start in starts])
    return float(found.att), float(found.se)


# Period in which the students start whom the ways with two sides compare with the never-visited.
ONE_START = 11


def one_start(path: str) -> pd.DataFrame:
    """Return the rows of the never-visited and of those first visited in `ONE_START`, with `treated`."""
    rows = rows_of(path)
    rows = rows[rows["cohort"].isin([0, ONE_START])]
    return rows.assign(treated=((rows["cohort"] > 0) & (rows["period"] >= rows["cohort"])).astype(int))


def two_sides(path: str) -> Effect:
    """Our difference-in-differences of any frame, clustered by student."""
    import leapstudy as ls

    names = {"outcome": "y", "unit": "unit", "time": "period", "post": None, "weights": None, "cluster": "unit"}
    found = ls.diff_in_diff(one_start(path), **names)
    return found.estimate, found.se


def fereg(path: str) -> Effect:
    """Two-way fixed effects by fereg, clustered by student."""
    return _fixed_effects("fereg", path)


def pyfixest(path: str) -> Effect:
    """Two-way fixed effects by pyfixest, clustered by student."""
    return _fixed_effects("pyfixest", path)


def _fixed_effects(package: str, path: str) -> Effect:
    feols = importlib.import_module(package).feols
    found = feols("y ~ treated | unit + period", data=one_start(path), vcov={"CRV1": "unit"})
    return float(found.coef().iloc[0]), float(found.se().iloc[0])


def one_group_by(path: str) -> Effect:
    """The one group-by that no way from rows to students can avoid: six words a student, by SQL written by hand."""
    import duckdb

    con = duckdb.connect(config={"threads": 2, "memory_limit": "4GB", "preserve_insertion_order": False})
    words = ", ".join(f"bit_or(word) FILTER (number = {k}) AS w{k}" for k in range(6))
    con.execute(f"""
        CREATE TEMP TABLE students AS
        SELECT student, {words} FROM (
            SELECT student, place >> 2 AS number, days << ((place & 3) * 14) AS word FROM (
                SELECT student, year(month) * 12 + month(month) - 24249 AS place,
                    days_attended::BIGINT * 256 + days_enrolled::BIGINT * 2 AS days
                FROM '{path}' WHERE days_enrolled > 0))
        GROUP BY student""")
    return float(con.execute("SELECT count(*) FROM students").fetchone()[0]), None  # type: ignore[index]


def days_ours(path: str) -> Effect:
    """Student-days to student-months to moments, by our reader's way of adding days up and our one expression."""
    from leapstudy.students.engine import connect, keep
    from leapstudy.students.moments.pivot import moments_of_panel

    con = connect("8GB", threads=2)
    days = con.read_parquet(path)
    names = ["student", "district_code", "grade", "high_needs", "first_visit_month"]
    panel = days.group_by(*names, month=days.day.truncate("M").cast("date")).agg(
        days_enrolled=days.count().cast("float64"), days_attended=days.present.cast("int64").sum().cast("float64")
    )
    moments = moments_of_panel(keep(con, "adding days up", panel))
    return float(moments.students.sum()), None


def days_sql(path: str) -> Effect:
    """The same sums by SQL written by hand: days to months, months to columns, columns to sums by cell."""
    return _sums_by_hand(
        path,
        "8GB",
        "day",
        f"""
        SELECT student, district_code, first_visit_month, date_trunc('month', day)::date AS month,
            100.0 * count(*) FILTER (present) / count(*) - 93 AS y
        FROM '{path}' GROUP BY ALL""",
    )


def months_sql(path: str) -> Effect:
    """The moments of a student-month file by SQL written by hand."""
    return _sums_by_hand(
        path,
        "4GB",
        "month",
        f"""
        SELECT student, district_code, first_visit_month, month, 100.0 * days_attended / days_enrolled - 93 AS y
        FROM '{path}' WHERE days_enrolled > 0""",
    )


def _sums_by_hand(path: str, limit: str, date: str, monthly: str) -> Effect:
    """Pivot student-months by month and sum products by cell, and return the number of students;
    `date` is the file's column.
    """
    import duckdb

    con = duckdb.connect(config={"threads": 2, "memory_limit": limit, "preserve_insertion_order": False})
    found = con.sql(f"SELECT DISTINCT date_trunc('month', {date})::date m FROM '{path}' ORDER BY 1").fetchall()
    columns = ", ".join(f"sum(y) FILTER (month = DATE '{month}') y{t}" for t, (month,) in enumerate(found))
    places = range(len(found))
    pattern = " + ".join(f"(y{t} IS NOT NULL)::int * {1 << t}" for t in places)
    sums = ", ".join([f"sum(y{s} * y{t})" for s in places for t in places if s <= t] + [f"sum(y{t})" for t in places])
    return float(
        sum(
            row[0]
            for row in con.sql(f"""
        WITH monthly AS ({monthly}),
        wide AS (
            SELECT student, min(district_code) AS district_code, min(first_visit_month) AS first_visit_month, {columns}
            FROM monthly GROUP BY student)
        SELECT count(*), district_code, first_visit_month, {pattern} AS seen, {sums} FROM wide GROUP BY ALL
    """).fetchall()
        )
    ), None


PEERS: dict[str, Way] = {
    "csdid": csdid,
    "diff-diff": diff_diff,
    "moderndid": moderndid,
    "days by us": days_ours,
    "days by hand-written SQL": days_sql,
    "moments by hand-written SQL": months_sql,
    "the one group-by": one_group_by,
    "panelkit": panelkit,
    "our diff_in_diff": two_sides,
    "fereg": fereg,
    "pyfixest": pyfixest,
}
# What is imported before the clock starts.
IMPORTS = {
    "csdid": "csdid.att_gt",
    "diff-diff": "diff_diff",
    "our diff_in_diff": "leapstudy.did.frames.estimators",
    **{name: name for name in ("moderndid", "panelkit", "fereg", "pyfixest")},
}
OURS = {"our Callaway-Sant'Anna": "cs", "our moments": "moments"}


def main() -> None:
    """Import, then measure one way."""
    name, path, limit = (*sys.argv[1:], "4GB")[:3]
    way = ours(limit, OURS[name]) if name in OURS else PEERS[name]
    if name in IMPORTS:
        importlib.import_module(IMPORTS[name])
    warnings.simplefilter("ignore")
    start, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        effect, se = way(path)
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(
        json.dumps(
            {
                "wall_s": wall,
                "cpu_s": used,
                "cpu_all_s": time.process_time(),
                "peak_mib": peak,
                "effect": effect,
                "se": se,
            }
        )
    )


if __name__ == "__main__":
    main()

"""What an attacker computes from everything that is published of students together."""

import numpy as np
import pandas as pd
import pytest
from own_files import students
from scipy.optimize import linprog

from leapstudy.core.estimate import Estimate
from leapstudy.students.contract import SUPPORTS
from leapstudy.students.disclosure import BY, MIN_GROUP, OPEN_POINTS, VISITED, rounded_mean, unit_of_mean
from leapstudy.students.settings import load_settings
from leapstudy.study.student_files import funnel, protected, told_numbers
from leapstudy.study.student_publish import COUNT_UNIT, nearest, published

DIMENSIONS = (*BY, *SUPPORTS)
STEPS = ("not referred", "referred, not tried", "tried, not met", VISITED)


def counted(statuses):
    """Exact counts by district and status, with their totals: what leaves the engine."""
    rows = [
        {"district_code": str(d), "status": step, "students": n}
        for d, own in enumerate(statuses)
        for step, n in zip(STEPS, own, strict=True)
    ]
    frame = pd.DataFrame(rows)
    frame = pd.concat(
        [
            frame,
            frame.groupby("district_code", as_index=False)["students"].sum(),
            frame.groupby("status", as_index=False)["students"].sum(),
            pd.DataFrame({"students": [frame["students"].sum()]}),
        ]
    )
    return (
        frame[frame["students"] > 0].reindex(columns=[*DIMENSIONS, "students"]).fillna(dict.fromkeys(DIMENSIONS, "ALL"))
    )


def pages(statuses):
    """The funnels of all districts and of all together, as they are published: (district, step) -> count or None."""
    counts = protected(counted(statuses))
    codes = [*map(str, range(len(statuses))), "ALL"]
    shown = {code: published(funnel(counts, code)) for code in codes}
    return {
        (code, step): n for code, page in shown.items() for step, n in zip(page["step"], page["students"], strict=True)
    }


@pytest.mark.parametrize("seed", range(8))
def test_linear_programming_over_all_pages_recovers_no_hidden_count(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 60, (5, 4))
    sizes[:, 0] += 300
    sizes[0, 1:] = rng.integers(0, 6, 3)
    told = pages(sizes.tolist())
    reach, rows, ends = COUNT_UNIT / 2, [], []
    for (code, step), n in told.items():
        if n is None or step == "visited twice or more":
            continue
        used = {"enrolled": slice(0, 4), "referred": slice(1, 4), "tried": slice(2, 4), "visited": slice(3, 4)}[step]
        own = np.zeros((5, 4))
        own[slice(None) if code == "ALL" else int(code), used] = 1
        rows += [own.ravel(), -own.ravel()]
        ends += [n + reach, reach - n]
    hidden = [index for index, n in np.ndenumerate(sizes) if 0 < n < 6]
    for district, step in hidden:
        target = np.zeros((5, 4))
        target[district, step] = 1
        low, high = (
            sign * linprog(sign * target.ravel(), np.array(rows), ends, bounds=(0, None)).fun for sign in (1, -1)
        )
        assert high - low >= COUNT_UNIT - 1, "the count stays within several students"


def test_three_referred_are_on_no_page():
    told = pages([[400, 1, 1, 1], [300, 40, 30, 20], [300, 30, 30, 30]])
    assert told["0", "referred"] is None and told["0", "visited"] is None
    assert all(n is None or n % COUNT_UNIT == 0 for n in told.values())


def test_every_number_of_a_record_is_rounded_by_what_it_is():
    row = Estimate(
        track="students",
        district_code="1",
        district="One",
        outcome="attendance_rate",
        comparison="x",
        n_treated=132,
        n_comparison=1001,
        edition="SIMULATED",
        pre="x",
        post="y",
        event_time=4,
        estimator="cs_at_risk",
        role="main",
        estimate_pp=4.23456,
        se_pp=0.98765,
        p_value=0.0412345,
    )
    told = published({"estimates": (row,), "path": pd.DataFrame({"event_time": [3], "low_pp": [1.23456]})})
    own = told["estimates"][0]
    assert (own["n_treated"], own["n_comparison"], own["estimate_pp"], own["p_value"]) == (130, 1000, 4.23, 0.041)
    assert own["event_time"] == 4 and told["path"] == {"event_time": [3], "low_pp": [1.23]}


def test_taking_districts_from_their_sum_knows_a_count_only_within_several_students():
    ends = {
        nearest(total) - sum(map(nearest, parts)) - (total - sum(parts))
        for total in range(100, 140)
        for parts in ((33, 41), (32, 43))
    }
    assert max(ends) - min(ends) >= COUNT_UNIT - 1


def test_a_mean_over_few_students_is_rounded_so_that_one_month_stays_open():
    students = np.arange(MIN_GROUP, 30_000)
    assert (unit_of_mean(students) * students >= OPEN_POINTS - 1e-9).all()
    means = np.linspace(0, 100, len(students))
    assert (np.abs(rounded_mean(means, students) - means) <= unit_of_mean(students) / 2 + 1e-9).all()


@pytest.mark.slow
def test_the_states_own_numbers_are_looked_for_on_the_pages(own_workspace):
    """Those of attendance and log alike."""
    rows, log = students({"0640011": 60})
    for frame in (rows, log):
        frame["student"] = "00" + frame["student"]
    stranger = log.iloc[:1].assign(student="0099999999")
    own_workspace(rows, pd.concat([log, stranger]))
    assert set(told_numbers(load_settings())) == set(rows["student"]) | {"0099999999"}

"""Any frame: worked by hand, held against statsmodels and published figures, unmoved by form, refused in words."""

from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import leapstudy as ls
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.did.frames import two_sides
from leapstudy.did.frames.cohorts import _t, moments_of
from leapstudy.did.frames.read import Columns, read_frame

NAMES = {"outcome": "y", "unit": "id", "time": "t", "treated": "d"}
ESTIMATORS = (ls.diff_in_diff, ls.event_study, ls.att_gt)


def own(units: int = 12, times: int = 4, treated: int = 4, start: int = 2, seed: int = 1) -> pd.DataFrame:
    """Return an INVENTED frame; the first units are treated from `start` on."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"id": np.repeat(np.arange(units), times), "t": np.tile(np.arange(2000, 2000 + times), units)})
    d = ((rows["id"] < treated) & (rows["t"] >= 2000 + start)).astype(int)
    y = rng.normal(size=units)[rows["id"]] + 0.3 * (rows["t"] - 2000) + d + rng.normal(size=len(rows))
    return rows.assign(y=y, d=d, w=1.0 + rows["id"] % 5, c=rows["id"] // 2)


def test_by_hand():
    # treated change: 5 and 3, mean 4; comparison: 1, 2 and 0, mean 1; difference 3
    y = [[10, 15], [20, 23], [1, 2], [5, 7], [9, 9]]
    rows = [{"id": i, "t": t, "y": y[i][t], "d": int(i < 2 and t == 1)} for i in range(5) for t in (0, 1)]
    result = ls.diff_in_diff(pd.DataFrame(rows), **NAMES)
    # variances 2 / 2 and 1 / 3
    assert (result.estimate, result.se) == pytest.approx((3, np.sqrt(4 / 3)))
    assert result.finding.startswith(
        "y in the 2 treated units changed 3.00 more than in the 3 comparison units (95% CI"
    )
    assert ls.att_gt(pd.DataFrame(rows), **NAMES).overall["estimate"] == pytest.approx(3)


@pytest.mark.parametrize("weights", [None, "w"])
def test_the_estimate_is_the_regression_s_and_so_are_clustered_errors(weights):
    frame = own()
    result = ls.diff_in_diff(frame, **NAMES, weights=weights, cluster="c")
    change = frame[frame["t"] >= 2002].groupby("id")["y"].mean() - frame[frame["t"] < 2002].groupby("id")["y"].mean()
    units = frame.drop_duplicates("id").set_index("id").assign(change=change, on=lambda unit: unit.index < 4)
    size = units["w"] if weights else np.ones(len(units))
    fit = smf.wls("change ~ on", units, weights=size).fit(
        cov_type="cluster", cov_kwds={"groups": units["c"].to_numpy(), "use_correction": False}
    )
    panel = smf.wls("y ~ d + C(id) + C(t)", frame, weights=frame["w"] if weights else np.ones(len(frame))).fit()
    assert result.estimate == pytest.approx(panel.params["d"], abs=1e-10)
    assert result.estimate == pytest.approx(fit.params["on[T.True]"], abs=1e-10)
    assert result.se == pytest.approx(fit.bse["on[T.True]"] * np.sqrt(6 / 5), abs=1e-10)


def test_mpdta_as_published():
    frame = pd.read_csv(paths.root() / "tests/reference/data/mpdta.csv")
    result = ls.att_gt(frame, outcome="lemp", unit="county", time="year", first_treated="first_treat")
    assert result.overall["estimate"] == pytest.approx(-0.0399512752, abs=5e-11)
    means = [round(result.to_frame(kind)["estimate"].iloc[-1], 4) for kind in ("event", "group")]
    assert means == [-0.0772, -0.0310]
    # did 2.1 (R): simple average, analytic error 0.0120
    assert result.overall["se"] == pytest.approx(0.0120, abs=5e-4)


def test_the_deal_of_starts_is_that_of_its_slow_twin():
    frame = own(units=6, treated=2, start=2).assign(
        d=lambda rows: rows["d"] + ((rows["id"] == 2) & (rows["t"] == 2003))
    )
    panel = read_frame(frame, Columns(**NAMES, post=None, weights=None))
    moments, cells = moments_of(panel)
    for deal in list(permutations(cells.tolist()))[::97]:
        start = {cell: moments.cohort[cell] for cell in set(cells.tolist())}
        first = {unit: start[cell] for unit, cell in enumerate(deal)}
        g = frame["id"].map(first).replace(np.inf, np.nan)
        again = ls.att_gt(frame.assign(g=g), **{**NAMES, "treated": None}, first_treated="g")
        assert again.p_permutation == pytest.approx(_share(panel, moments, deal), abs=0.02)


def _share(panel, moments, deal):
    """Return the share of all 720 deals that are at least as far out, each estimated anew."""
    from leapstudy.did.staggered.att_gt import Choices, att_gt
    from leapstudy.did.staggered.effects import averages

    att = att_gt(moments, Choices())
    slope = att.influence(averages(att, "simple").combination[-1:]).slope[0]
    added = (panel.y - moments.shift) @ slope.T
    t = _t(added, np.array([deal, *set(permutations(deal))]), moments.students)
    return float(np.mean(np.abs(t[1:]) >= abs(t[0]) - 1e-12))


FORMS = {
    "shuffled rows": lambda rows: rows.sample(frac=1, random_state=3),
    "an index of both": lambda rows: rows.set_index(["id", "t"]),
    "text units": lambda rows: rows.assign(id=rows["id"].map(lambda unit: f"u{unit:02d}")),
    "categories": lambda rows: rows.assign(id=rows["id"].astype("category"), t=rows["t"].astype("category")),
    "nullable": lambda rows: rows.convert_dtypes(),
    "school years": lambda rows: rows.assign(t=rows["t"].map(lambda year: f"{year}-{(year + 1) % 100:02d}")),
    "dates": lambda rows: rows.assign(t=pd.to_datetime(rows["t"].astype(str) + "-09-01")),
    "periods": lambda rows: rows.assign(t=pd.PeriodIndex(rows["t"].astype(str), freq="Y")),
    "ordered names": lambda rows: rows.assign(
        t=pd.Categorical(
            rows["t"].map({2000: "pre", 2001: "base", 2002: "one", 2003: "two"}),
            ["pre", "base", "one", "two"],
            ordered=True,
        )
    ),
    "dates as numbers": lambda rows: rows.assign(t=10_000 * rows["t"] + 901),
    "half years": lambda rows: rows.assign(t=rows["t"] / 2),
    "dates of days": lambda rows: rows.assign(t=pd.to_datetime(rows["t"].astype(str)).dt.date),
    "booleans": lambda rows: rows.assign(d=rows["d"].astype(bool)),
    "arrow": lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
    "a unit effect and a time effect": lambda rows: rows.assign(
        y=rows["y"] + 7 * rows["id"] + 5 * (rows["t"] - 2000) ** 2
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_form_moves_nothing_and_nothing_is_changed(form):
    plain, other = own(), form(own())
    before = other.copy()
    for estimate in ESTIMATORS:
        mine, again = (estimate(rows, **NAMES).to_frame() for rows in (plain, other))
        number = mine.select_dtypes("number").columns.difference(["time", "cohort"])
        pd.testing.assert_frame_equal(mine[number], again[number], rtol=1e-9)
    pd.testing.assert_frame_equal(other, before)


@pytest.mark.parametrize("form", ["an index of both", "school years", "dates", "half years"])
def test_a_table_of_starts_and_times_joins_to_the_frame_that_it_was_made_of(form):
    frame = FORMS[form](own()).reset_index()
    table = ls.att_gt(frame, **NAMES).table
    kinds = [rows.dtype.kind if rows.dtype.kind in "iufM" else "text" for rows in (table["time"], frame["t"])]
    assert kinds[0] == kinds[1] and table["cohort"].dtype == table["time"].dtype
    assert len(table.merge(frame, left_on="time", right_on="t")) == len(table) * frame["id"].nunique()


def test_adding_to_the_treated_after_the_start_adds_to_the_effect():
    frame = own()
    for factor in (1.0, -2.5):
        more = frame.assign(y=factor * (frame["y"] + 3 * frame["d"]))
        assert ls.diff_in_diff(more, **NAMES).estimate == pytest.approx(
            factor * (ls.diff_in_diff(frame, **NAMES).estimate + 3)
        )


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows.drop(columns="y"), "Unknown column: 'y'"),
        (lambda rows: rows.iloc[:0], "no rows"),
        (lambda rows: rows.to_dict("list"), "A DataFrame is needed"),
        (lambda rows: rows.assign(y=rows["y"].astype(str)), "numbers belong there"),
        (lambda rows: rows.assign(y=rows["y"].where(rows.index != 3)), "1 missing value in"),
        (lambda rows: rows.assign(y=rows["y"].where(rows.index != 3, np.inf)), "1 infinite"),
        (lambda rows: rows.assign(y=rows["y"] + 1j), "numbers belong there"),
        (lambda rows: rows.assign(y=3.0), "same in every row"),
        (lambda rows: rows.assign(y=1e-9 * rows["y"]), "smaller unit"),
        (lambda rows: pd.concat([rows, rows.iloc[:2]]), "2 pairs of 'id' and 't' with two rows"),
        (lambda rows: rows.drop(index=5), "1 of 12 units lacks a row"),
        (lambda rows: rows[rows["t"] == 2000], "one 't'"),
        (lambda rows: rows.assign(t=rows["t"].map({2000: "a", 2001: "b", 2002: "c", 2003: "d"})), "order of the times"),
        # letters sort 04-2021 before 09-2020, and 00-01 before 98-99
        (lambda rows: rows.assign(t=rows["t"].map("09-{}".format)), "order of the times"),
        (lambda rows: rows.assign(t=[f"{(time - 2) % 100:02d}-99" for time in rows["t"]]), "order of the times"),
        (lambda rows: rows.assign(t=[f"FY {time % 100:02d}" for time in rows["t"]]), "order of the times"),
        (lambda rows: rows.assign(id=rows["id"].astype(object).where(rows["id"] > 3, "x")), "mixes numbers and text"),
        (lambda rows: rows.assign(d=0), "No unit is treated"),
        (lambda rows: rows.assign(d=(rows["id"] < 3).astype(int)), "same in every time"),
        (lambda rows: rows.assign(d=rows["d"] * 2), "must be 0 or 1.*first_treated="),
        (lambda rows: rows.assign(d=rows["d"] * (rows["t"] != 2003)), "later untreated again"),
        (lambda rows: pd.concat([rows, rows[["y"]]], axis=1), "Two columns are called y"),
        (lambda rows: rows.assign(id=[[code] for code in rows["id"]]), "'id' holds lists or the like"),
        (lambda rows: rows.assign(t=[{"year": time} for time in rows["t"]]), "'t' holds lists or the like"),
        (lambda rows: rows.assign(t=[10**400 + time for time in rows["t"]]), "'t' holds whole numbers too large"),
        (lambda rows: rows.assign(y=[10**400] * len(rows)), "'y' holds whole numbers too large"),
    ],
)
def test_what_cannot_be_carried_is_refused_in_words(estimate, change, text):
    with pytest.raises(BadInput, match=text):
        estimate(change(own()), **NAMES)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows.assign(d=1 * (rows["t"] >= 2002)), "never treated"),
        (lambda rows: rows[(rows["id"] < 5)], "Only one unit is never treated"),
        (
            lambda rows: rows.assign(d=rows["d"] | ((rows["id"] == 9) & (rows["t"] == 2003))),
            "start at 2 different times",
        ),
        (
            lambda rows: rows.assign(
                d=rows["d"] | ((rows["id"] < 4) & (rows["t"] < 2002)) | ((rows["id"] == 9) & (rows["t"] == 9))
            ),
            "same in every",
        ),
    ],
)
def test_two_sides_and_one_start_are_needed(change, text):
    with pytest.raises(BadInput, match=text):
        ls.diff_in_diff(change(own()), **NAMES)


def test_a_cohort_of_one_unit_has_no_error_of_its_own():
    alone = ls.att_gt(own(treated=1), **NAMES)
    assert alone.table["se"].isna().all() and np.isnan(alone.overall["se"])
    assert 0 < alone.p_permutation <= 1
    assert "no bounded 95% CI" in alone.finding
    assert "shows no noise of its own, so that there is no interval; with the starts dealt anew" in alone.finding
    one_to_compare = own()[lambda rows: rows["id"] < 5]
    assert np.isnan(ls.att_gt(one_to_compare, **NAMES).overall["se"])


def test_comparison_units_that_moved_alike_are_refused():
    frame = own()
    alike = frame.assign(y=frame["id"] + 0.5 * (frame["t"] - 2000) + frame["d"])
    for estimate in ESTIMATORS:
        with pytest.raises(BadInput, match="No variation"):
            estimate(alike, **NAMES)
        if estimate is ls.att_gt:  # sums that cancel leave a variance below zero
            with pytest.raises(BadInput, match="No variation"):
                estimate(alike.assign(y=alike["y"] + 1.5 * alike["d"]), **NAMES)


def test_a_finding_says_where_interval_and_test_part():
    """Two against two: no deal of the labels has a p-value below 1/6, however far from zero the interval is."""
    small = own(units=4, treated=2, seed=3)
    small["y"] += 30.0 * small["d"]
    told = ls.diff_in_diff(small, **NAMES)
    assert told.ci_low > 0 and told.p_value >= 0.05
    part = f"The interval excludes zero, but the preferred test does not reject it (p = {told.p_value:.3f})."
    assert told.finding.endswith(part)
    large = own(units=30, treated=12)
    large["y"] += 9.0 * large["d"]
    assert ls.diff_in_diff(large, **NAMES).finding.endswith("The interval excludes zero.")


@pytest.mark.parametrize("treated", [1, 4])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_a_result_draws_itself_on_axes_that_are_given_with_an_interval_or_without(estimate, treated, sign):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    frame = own(treated=treated)
    assert estimate(frame.assign(y=sign * frame["y"]), **NAMES).plot(ax) is ax
    assert ax.get_ylabel()


def test_the_test_before_the_start_does_not_depend_on_the_reference():
    every = [ls.event_study(own(times=6, start=4), reference=2000 + time, **NAMES) for time in range(6)]
    assert [study.joint_p for study in every] == pytest.approx([every[0].joint_p] * 6)


def test_few_units_are_told_apart_from_few_times():
    few = own(units=4, times=6, treated=2, start=4)
    assert "The 4 times before the start cannot be tested together with so few units." in (
        ls.event_study(few, **NAMES).finding
    )


def test_units_that_all_start_are_told_how_to_compare():
    frame = own()
    late = frame.assign(first=np.where(frame["id"] < 4, 2002, 2003))
    with pytest.raises(BadInput, match='Every unit has a start: .* control="not_yet"') as refusal:
        ls.att_gt(late, outcome="y", unit="id", time="t", first_treated="first")
    assert "month" not in str(refusal.value)


@pytest.mark.parametrize("control", ["never", "not_yet"])
def test_a_start_after_the_last_time_is_none(control):
    never = own().assign(first=lambda rows: np.where(rows["id"] < 4, 2002, np.nan))
    later = never.assign(first=never["first"].mask(never["id"] >= 8, 9999))
    names = {"outcome": "y", "unit": "id", "time": "t", "first_treated": "first", "control": control}
    result = ls.att_gt(later, **names)
    assert repr(result) == repr(ls.att_gt(never, **names))
    assert (result.n_treated, result.n_comparison, result.df) == (4, 8, 3)
    # those that may respond to a start one time after the last are on neither side
    soon = never.assign(first=never["first"].mask(never["id"] >= 8, 2004))
    kept = ls.att_gt(soon, **names, anticipation=1)
    assert (kept.n_treated, kept.n_comparison) == (4, 4)


@pytest.mark.parametrize(
    "written",
    [
        lambda year: f"{year}-{(year + 1) % 100:02d}",
        lambda year: f"{year}-09-01",
        lambda year: pd.Timestamp(year, 9, 1),
        lambda year: date(year, 9, 1),
        lambda year: pd.Period(str(year), "Y"),
    ],
)
def test_a_start_after_the_last_time_may_be_a_text_or_a_date(written):
    rows = own().assign(t=lambda frame: [written(int(year)) for year in frame["t"]])
    first = rows["id"].map(lambda unit: 2002 if unit < 4 else 2030 if unit >= 8 else None)
    never = rows.assign(first=[written(int(year)) if year == 2002 else None for year in first])
    later = rows.assign(first=[written(int(year)) if year == year else None for year in first])
    names = {"outcome": "y", "unit": "id", "time": "t", "first_treated": "first", "control": "not_yet"}
    assert repr(ls.att_gt(later, **names)) == repr(ls.att_gt(never, **names))
    odd = rows.assign(first=["later" if year == 2030 else written(2002) if year == 2002 else None for year in first])
    with pytest.raises(BadInput, match="rows whose value is none of the times"):
        ls.att_gt(odd, **names)


@pytest.mark.parametrize("kind", ["object", "category"])
def test_times_in_an_order_of_their_own_do_not_make_a_start_late(kind):
    """By the alphabet the third quarter of 2001 is after the first of 2004: its units would be never treated."""
    names = [f"Q{1 + 2 * (half % 2)} {2000 + half // 2}" for half in range(1, 9)]
    rows = own(times=8)
    order = dict(zip(sorted(rows["t"].unique()), names, strict=True))
    starts = rows["id"].map(rows[rows["d"] == 1].groupby("id")["t"].min())
    texts = rows.assign(
        t=pd.Categorical(rows["t"].map(order), names, ordered=True), first=starts.map(order).astype(kind)
    )
    asked = {"outcome": "y", "unit": "id", "time": "t", "first_treated": "first"}
    numbered = rows.assign(t=rows["t"] - 2000, first=starts - 2000)
    assert ls.att_gt(texts, **asked).overall["estimate"] == ls.att_gt(numbered, **asked).overall["estimate"]
    odd = texts.assign(first=texts["first"].astype(object).where(texts["id"] > 0, "Q4 2009"))
    with pytest.raises(BadInput, match="rows whose value is none of the times"):
        ls.att_gt(odd, **asked)


def test_an_empty_text_is_no_start():
    rows = own().assign(t=lambda frame: "FY" + frame["t"].astype(str))
    starts = rows["id"].map(rows[rows["d"] == 1].groupby("id")["t"].min())
    missing, blank = (
        ls.att_gt(rows.assign(g=g), **{**NAMES, "treated": None}, first_treated="g").to_frame()
        for g in (starts, starts.fillna(" "))
    )
    pd.testing.assert_frame_equal(missing, blank)


@pytest.mark.parametrize(
    ("times", "start"),
    [
        ((201011, 201012, 201101, 201102), 201101),
        ((20231, 20232, 20241, 20242), 20241),
        ((2010, 2012, 2014, 2016), 2014),
        ((2010, 2012, 2013, 2015), 2013),
        ((2012, 2013, 2014, 2017), 2014),
        ((2012, 2013, 2014, 2017), 2017),
        ((2010, 2012, 2014, 2015, 2016), 2015),
    ],
)
def test_bounds_of_a_frame_count_its_own_times_whatever_numbers_name_them(times, start, monkeypatch):
    monkeypatch.setattr(two_sides, "TIMES", (1.0,))  # the others take as long, and are asked elsewhere
    rng, units = np.random.default_rng(3), [f"u{place}" for place in range(30)]
    frame = pd.DataFrame([(unit, place) for unit in units for place in range(len(times))], columns=["unit", "place"])
    late = frame["unit"].isin(units[:10])
    # a line of slope 1 before, which goes on
    frame["y"] = late * frame["place"] + rng.normal(0, 0.1, len(frame))
    columns = {"outcome": "y", "unit": "unit", "treated": None, "post": None, "weights": None}

    def bounds(time: pd.Series, first: int) -> pd.DataFrame:
        own = frame.assign(time=time, start=np.where(late, first, np.nan))
        return ls.sensitivity(ls.event_study(own, time="time", first_treated="start", **columns)).table

    table = bounds(frame["place"].map(dict(enumerate(times))), start)
    assert table["what"].iloc[-1] == "departures up to 1 times"
    assert np.allclose(table.loc[0, ["ci_low", "ci_high"]].astype(float), [0, 2], atol=0.4), "a slope either way"
    pd.testing.assert_frame_equal(table, bounds(frame["place"] + 1, times.index(start) + 1))


@pytest.mark.parametrize("months", [[201011, 201012, 201101, 201102, 201103], [1011, 1012, 1101, 1102, 1103]])
def test_months_written_as_numbers_count_by_their_order(months):
    """201012 and 201101 are neighbors: the event study is that of the same panel in months 1, 2, 3, ..."""
    rng = np.random.default_rng(6)
    rows = pd.DataFrame([(unit, place) for unit in range(12) for place in range(5)], columns=["unit", "place"])
    rows = rows.assign(month=[months[place] for place in rows["place"]], y=rng.normal(size=len(rows)))
    begins = {unit: 2 + unit % 2 for unit in range(6)}
    rows["start"] = rows["unit"].map(begins)
    rows["start_month"] = rows["start"].map(dict(enumerate(months)))
    names = {"outcome": "y", "unit": "unit"}
    by_order = ls.att_gt(rows, **names, time="place", first_treated="start")
    by_month = ls.att_gt(rows, **names, time="month", first_treated="start_month")
    own, others = by_month.to_frame("event"), by_order.to_frame("event")
    assert own["key"].dropna().tolist() == [-2, -1, 0, 1, 2]
    pd.testing.assert_frame_equal(own, others)


def test_a_start_after_the_last_month_is_far_beyond_it_however_it_is_written():
    """With anticipation a start one period beyond the frame has a base in it; one years beyond has none."""
    rng = np.random.default_rng(7)
    rows = pd.DataFrame([(unit, place) for unit in range(12) for place in range(5)], columns=["unit", "place"])
    rows = rows.assign(year=2011 + rows["place"], y=rng.normal(size=len(rows)))
    rows["month"] = rows["place"].map(dict(enumerate([202011, 202012, 202101, 202102, 202103])))
    found = []
    for time, start, later in (("month", 202101, 203012), ("year", 2013, 2030)):
        starts = rows["unit"].map({unit: start if unit < 4 else later for unit in range(8)})
        choice = {"outcome": "y", "unit": "unit", "time": time, "first_treated": "start", "anticipation": 1}
        found.append(ls.att_gt(rows.assign(start=starts), **choice).to_frame("simple"))
    assert not found[1].empty
    pd.testing.assert_frame_equal(*found)


def test_school_years_of_four_digits_count_by_their_order_and_a_start_below_zero_is_refused():
    panel = ls.panel(years="all")
    rows = panel.assign(time=panel["year"].str[2:4].astype(int) * 100 + panel["year"].str[5:].astype(int))
    start = rows["treated"].map({1: 2122.0, 0: np.nan})
    names = {"outcome": "rate_pct", "unit": "district_code", "first_treated": "start"}
    own = ls.att_gt(rows.assign(start=start), time="time", anticipation=1, **names).to_frame("event")
    by_text = rows.assign(start=rows["treated"].map({1: "2021-22", 0: ""}))
    pd.testing.assert_frame_equal(own, ls.att_gt(by_text, time="year", anticipation=1, **names).to_frame("event"))
    with pytest.raises(BadInput, match="start below zero, where no time is. Leave the cell empty"):
        ls.att_gt(rows.assign(start=start.fillna(-1)), time="time", **names)


@pytest.mark.parametrize("estimate", [ls.att_gt, ls.event_study])
def test_a_start_within_a_year_is_refused_and_between_two_times_is_not(estimate):
    """Event times 0 would stand for the year before the start and the one after."""
    rows = own()
    starts = rows["id"].map(rows[rows["d"] == 1].groupby("id")["t"].min())
    names = {**NAMES, "treated": None, "first_treated": "g"}
    with pytest.raises(BadInput, match="Write the first time that counts as treated"):
        estimate(rows.assign(g=starts + 0.5), **names)
    apart = rows.assign(t=2 * rows["t"], g=2 * starts)
    between = estimate(apart.assign(g=2 * starts - 1), **names).to_frame()
    numbers = between.select_dtypes("number").columns.difference(["event_time", "time", "cohort"])
    pd.testing.assert_frame_equal(between[numbers], estimate(apart, **names).to_frame()[numbers])

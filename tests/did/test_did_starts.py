"""Contrasts and comparison groups follow from the state's rules and each unit's own start."""

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest

from leapstudy.core.errors import BadInput
from leapstudy.data.districts import rule_mask
from leapstudy.data.state import load_state
from leapstudy.did.comparison import comparison_codes, group_of, parse_comparison
from leapstudy.did.contrasts import clock_of, contrasts_of
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit


def test_contrasts_are_years_since_the_start():
    contrasts = contrasts_of(load_state(), "2021-22")
    years = {name: (item.pre, item.post, item.role) for name, item in contrasts.items()}
    assert years["pre_mean_to_2021_22"] == (("2019-20", "2020-21"), ("2021-22",), "main")
    assert years["placebo_2019_20_to_2020_21"] == (("2019-20",), ("2020-21",), "placebo")
    assert contrasts["pre_mean_to_post_mean"].label == (
        "mean of 2019-20 and 2020-21 to mean of 2021-22 and 2022-23 (2022-23 year-to-date May)"
    )


@pytest.mark.parametrize("shift", [-3, 1, 7])
def test_a_later_start_moves_every_year_by_as_much(shift):
    state = load_state()
    moved, own = contrasts_of(state, f"{2021 + shift}-{(22 + shift) % 100:02d}"), contrasts_of(state, "2021-22")
    for name, item in own.items():
        assert [int(year[:4]) + shift for year in item.years] == [int(year[:4]) for year in moved[name].years]


def test_units_of_different_starts_are_read_in_years_since_their_own(study):
    starts = {**study.starts, "0020011": "2022-23"}
    assert clock_of(study.state, starts, ["0430011", "0640011"]).label(-1) == "2020-21"
    both = clock_of(study.state, starts, ["0430011", "0020011"])
    assert both.label(-1) == "year -1"
    assert [both.school_years(["year -2", "year 0"], start) for start in both.starts] == [
        ("2019-20", "2021-22"),
        ("2020-21", "2022-23"),
    ]


def test_a_unit_that_starts_later_is_no_comparison_and_has_its_own_years(study):
    flags = study.districts["treated"] | (study.districts["district_code"] == "0020011")
    later = dataclasses.replace(
        study, starts={**study.starts, "0020011": "2022-23"}, districts=study.districts.assign(treated=flags)
    )
    assert "0020011" in comparison_codes(study, "alliance")
    assert "0020011" not in comparison_codes(later, "alliance")
    sample = build_sample(later, Spec(), ["0020011"])
    assert (sample.start, sample.years) == ("2022-23", ("2020-21", "2021-22", "2022-23"))
    rates = later.attendance.query("edition == '2022-23' and group == 'all'").pivot(
        index="district_code", columns="year", values="rate"
    )
    change = 100 * (rates["2022-23"] - rates[["2020-21", "2021-22"]].mean(axis=1))
    by_hand = change["0020011"] - change[list(sample.comparison)].mean()
    assert np.isclose(fit(sample).estimate_pp, by_hand)


def _group(study, **where):
    base = study.state.groups["others"]
    return type(base).model_validate({**base.model_dump(), "where": where})


@pytest.mark.parametrize(
    ("where", "meets"),
    [
        ({"kind": "a"}, [True, False, True]),
        ({"kind": ["a", "b"]}, [True, True, True]),
        ({"flag": True}, [True, False, False]),
        ({"size": {"at_least": 2}}, [False, True, False]),
        ({"size": {"at_most": 1}}, [True, False, False]),
        ({}, [True, True, True]),
        ({"flag": True, "kind": "b"}, [False] * 3),
    ],
)
def test_a_rule_picks_units_and_a_missing_figure_meets_none(study, where, meets):
    units = pd.DataFrame({"kind": ["a", "b", "a"], "flag": [True, False, False], "size": [1.0, 2.0, np.nan]})
    assert list(rule_mask(units, _group(study, **where).where)) == meets


def test_a_rule_about_an_unknown_column_or_a_group_that_is_none_is_an_error(study):
    with pytest.raises(BadInput, match="'poverty'.*Legal: "):
        rule_mask(study.districts, _group(study, poverty=1).where)
    with pytest.raises(BadInput, match="'aliance'.*Did you mean 'alliance'"):
        group_of(study, "aliance")


def test_a_comparison_is_a_name_or_codes_of_the_states_form():
    state = load_state()
    assert parse_comparison("others", state) == "others"
    assert parse_comparison("0640011, 0430011", state) == parse_comparison(["0640011", "0430011"], state)
    for odd in ("", "0640011,43", "aliance", [], [640011], 640011, date(2026, 1, 1), None):
        with pytest.raises(BadInput, match="Legal: alliance"):
            parse_comparison(odd, state)

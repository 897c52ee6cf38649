"""Every trap of the published files, handled in the open."""

import shutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.data import find_district, load_facts, load_study, raw, treated_districts
from leapstudy.data.clean import drop_late
from leapstudy.data.describe import edition_differences, raw_means
from leapstudy.data.districts import slug_of
from leapstudy.data.load import _districts, _early, _late, _within
from leapstudy.data.raw import read_bytes
from leapstudy.data.state import load_state

GREENWICH, LEARN, GOODWIN, STATE_CODE = "0570011", "2450014", "2310018", "00000CT"
OLDER = "csde_attendance_2021_22/attendance.csv"


@pytest.fixture
def copied_raw(tmp_path):
    return shutil.copytree(paths.raw(), tmp_path / "raw")


def _rate(study, code, year, edition="2022-23"):
    rows = study.attendance
    hit = (
        (rows["district_code"] == code)
        & (rows["year"] == year)
        & (rows["edition"] == edition)
        & (rows["group"] == "all")
    )
    return rows.loc[hit, "rate"]


def test_fifteen_districts_have_leap_and_nineteen_alliance_districts_do_not(study):
    assert study.districts["treated"].sum() == 15 and len(study.districts) == 200
    assert (study.districts["alliance"] & ~study.districts["treated"]).sum() == 19
    assert (study.districts.query("drg == 'I'")["treated"]).all() and (study.districts["drg"] == "I").sum() == 7


def test_codes_are_text_of_seven_characters_everywhere(study):
    for frame in (study.attendance, study.chronic, study.districts):
        assert frame["district_code"].str.fullmatch(r"\d{7}").all()


def test_norwich_free_academy_is_not_norwich(study):
    assert find_district(study.districts, "1040011").slug == "norwich"
    assert find_district(study.districts, "9010022").slug != "norwich"


def test_both_editions_are_kept_apart_and_revised_figures_differ(study):
    assert float(_rate(study, "1510011", "2020-21", "2021-22").iloc[0]) == 0.9053
    assert float(_rate(study, "1510011", "2020-21").iloc[0]) == 0.8475
    assert float(_rate(study, "0930011", "2020-21", "2021-22").iloc[0]) == 0.8361
    assert float(_rate(study, "0930011", "2020-21").iloc[0]) == 0.8748


def test_thirty_five_districts_moved_by_a_point_or_more(study):
    rows = edition_differences(study).query("year == '2020-21'")
    # one district moved by exactly one point (four published decimals); rounding keeps it on its side of the line
    assert len(rows) == 199 and (rows["moved_pp"].abs().round(6) >= 1).sum() == 35


def test_year_to_date_figures_are_labeled_in_each_edition(study):
    rows = study.attendance.drop_duplicates(["edition", "year", "measure"])
    running = rows[rows["measure"] == "year_to_date"]
    assert set(zip(running["edition"], running["year"], strict=True)) == {
        ("2022-23", "2022-23"),
        ("2021-22", "2021-22"),
    }


def test_greenwich_2019_20_is_dropped_in_the_open(study):
    assert _rate(study, GREENWICH, "2019-20").empty and len(_rate(study, GREENWICH, "2020-21")) == 1
    chronic = study.chronic[study.chronic["district_code"] == GREENWICH]
    assert "2019-20" not in set(chronic["year"]) and len(chronic) == 8
    assert study.ledger.query("rule == 'drop_unusable'")["districts"].str.contains("Greenwich").all()


def test_goodwin_lacks_the_earlier_years_and_learn_shrinks(study):
    rows = study.attendance.query("edition == '2022-23' and group == 'all'")
    assert set(rows[rows["district_code"] == GOODWIN]["year"]) == {"2021-22", "2022-23"}
    learn = rows[rows["district_code"] == LEARN].set_index("year")["students"]
    assert learn["2021-22"] < 0.6 * learn["2020-21"]


def test_the_state_is_no_district(study):
    assert STATE_CODE not in set(study.attendance["district_code"]) | set(study.districts["district_code"])
    assert set(study.state_attendance["district_code"]) == {STATE_CODE}


def test_the_ledger_adds_up(study):
    for _, rows in study.ledger.groupby("table"):
        kept = rows[rows["rule"] != "chronic_long"]
        assert (kept["rows_after"] <= kept["rows_before"]).all()
        assert (kept["rows_before"].iloc[1:].to_numpy() == kept["rows_after"].iloc[:-1].to_numpy()).all()
    dropped = study.ledger.eval("rows_before - rows_after")
    assert (study.ledger.loc[(dropped > 0), "districts"] != "").all()
    assert len(study.chronic) == study.ledger.query("table == 'chronic_absence'")["rows_after"].iloc[-1]


def test_raw_means_are_means_of_complete_districts(study):
    means = raw_means(study).set_index(["group", "year"])
    assert means.loc[("alliance", "2019-20"), "n_districts"] == 19
    codes = study.districts.query("alliance and not treated")["district_code"]
    by_hand = 100 * pd.concat([_rate(study, code, "2021-22") for code in codes]).mean()
    assert means.loc[("alliance", "2021-22"), "rate_pct"] == pytest.approx(by_hand, abs=1e-12)


@settings(max_examples=15)
@given(st.data())
def test_one_changed_byte_is_found(tmp_path_factory, data):
    raw = shutil.copytree(paths.raw(), tmp_path_factory.mktemp("changed") / "raw")
    path = raw / OLDER
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="csde_attendance_2021_22/attendance.csv was changed"):
        read_bytes(raw, OLDER)


def test_a_missing_file_an_unlisted_file_and_a_missing_list_are_named(copied_raw):
    (copied_raw / "csde_districts" / "extra.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(BadInput, match="extra.csv"):
        load_study(copied_raw)
    (copied_raw / "csde_districts" / "extra.csv").unlink()
    (copied_raw / "csde_districts" / "districts.csv").unlink()
    with pytest.raises(BadInput, match="districts.csv is missing"):
        load_study(copied_raw)
    (copied_raw / "csde_districts" / "SHA256SUMS").unlink()
    with pytest.raises(BadInput, match="SHA256SUMS is missing"):
        load_study(copied_raw)


@pytest.mark.parametrize(
    "key", ["east-hartford", "East Hartford", "EAST-HARTFORD", "East Hartford School District", "0430011"]
)
def test_a_district_is_found_by_slug_name_and_code(study, key):
    assert find_district(study.districts, key).code == "0430011"


@pytest.mark.parametrize(
    ("key", "words"), [("430011", "'0430011'"), (430011, "'0430011'"), ("harford", "'hartford'"), ("", "Legal")]
)
def test_an_unknown_district_gets_a_suggestion(study, key, words):
    with pytest.raises(BadInput) as error:
        find_district(study.districts, key)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Española", "espanola"),
        ("Cañon City Re-1", "canon-city-re-1"),
        ("Straße & Söhne", "strasse-sohne"),
        ("東区", "d-01"),
    ],
)
def test_a_slug_keeps_the_letters_of_a_name_and_is_never_empty(study, name, slug):
    assert slug_of("D-01", name, study.state.unit) == slug


def test_slugs_are_unique_and_the_treated_have_theirs(study):
    assert study.districts["slug"].is_unique
    slugs = " ".join(item.slug for item in treated_districts(study.districts))
    assert slugs == (
        "bridgeport crec danbury east-hartford hartford manchester meriden new-britain new-haven new-london norwich "
        "stamford torrington waterbury windham"
    )


def test_every_fact_names_its_source_and_the_money_adds_up():
    facts = load_facts()
    for frame in (facts.published_effects, facts.claims, facts.funding, facts.comparable_programs, facts.served):
        assert frame["source"].str.len().gt(2).all()
    # the areas as published add up to 10.67, the launch total is given as 10.7
    assert facts.funding["million_usd"].sum() == pytest.approx(10.7, abs=0.05)
    codes = [code for cell in facts.funding["district_codes"] for code in cell.split()]
    assert len(codes) == len(set(codes)) == 15


def test_who_starts_after_the_newest_figures_is_left_out_and_named(study):
    starts = {"0640011": "2021-22", "0930011": "2029-30"}
    assert _late(starts, "2022-23") == ("0930011",) and _late({"0930011": "2029-30"}, "2022-23") == ()
    units, entry = drop_late(study.districts, study.state, ("0930011",), drawn=False)
    assert "0930011" not in set(units["district_code"]) and len(units) == len(study.districts) - 1
    assert (entry.rule, entry.districts) == ("drop_late", "New Haven School District")
    waiting, _ = drop_late(study.districts, study.state, ("0930011",), drawn=True)
    assert len(waiting) == len(study.districts)
    assert not waiting.set_index("district_code").loc["0930011", "treated"] and waiting["treated"].any()


@pytest.mark.parametrize("first", ["2019-20", "2009-10"])
def test_who_had_the_program_when_the_figures_begin_is_left_out_and_named(study, first):
    """There is no year before it: neither treated nor, with the program all the time, a comparison."""
    starts = {"0640011": "2021-22", "0930011": first, "1510011": "2029-30"}
    leaving = study.state.model_copy(update={"unit": study.state.unit.model_copy(update={"hidden": "leave out"})})
    entries = []
    units, left = _within("2019-20", "2022-23", study.districts, starts, leaving, entries)
    assert left == {"0640011": "2021-22"} and not {"0930011", "1510011"} & set(units["district_code"])
    told = {entry.rule: entry.districts for entry in entries}
    assert told == {"drop_late": "Waterbury School District", "drop_early": "New Haven School District"}
    assert _within("2019-20", "2022-23", study.districts, starts, study.state, [])[1] == starts
    assert _early({"0930011": first}, "2019-20") == (), "with nobody else the question is refused where it is asked"


def test_a_unit_without_a_name_is_called_by_its_code(study):
    units = study.districts.drop(columns=["slug", "treated"])
    named = _districts(
        units.assign(district=units["district"].where(units["district_code"] != "0930011")), {}, study.state
    )
    assert named.set_index("district_code").loc["0930011", "district"] == "0930011"


def test_a_file_is_parsed_once_for_each_declaration_and_changed_by_nobody(monkeypatch):
    asked, state = [], load_state()
    table, code = state.tables[state.unit.table], state.unit.code
    monkeypatch.setattr(raw, "_PARSED", {})
    first, digest = raw.read_table(paths.raw(), table, code)
    whole = first.copy()
    first["district"] = "changed"
    first.iloc[0, 0] = "changed"
    monkeypatch.setattr(raw, "parse", lambda *declared: pd.DataFrame({"asked": [asked.append(declared)]}))
    again, same = raw.read_table(paths.raw(), table, code)
    pd.testing.assert_frame_equal(again, whole)
    assert same == digest and not asked
    raw.read_table(paths.raw(), table, code.model_copy(update={"whole_state": "another"}))
    assert len(asked) == 1

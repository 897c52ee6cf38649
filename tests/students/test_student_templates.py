"""What a vendor gets: every file that follows a template passes `check`, and the schemas say what the contract says."""

import json
import re

import pandas as pd
import pytest

from leapstudy.students.contract import SENT_TABLES, VISIT_RESULTS, Reading, dictionary, sent, templates
from leapstudy.students.engine import connect, sealed
from leapstudy.students.readers import open_panel, read_visits


@pytest.mark.parametrize("name", list(SENT_TABLES))
def test_header_schema_and_dictionary_name_the_same_columns(name):
    files = templates()
    header = files[f"{name}.csv"].strip().split(",")
    fields = json.loads(files[f"{name}.schema.json"])["fields"]
    assert header == [field["name"] for field in fields] == [column.name for column in sent(SENT_TABLES[name])]
    assert all(f"| {column} | " in files["DICTIONARY.md"] for column in header)
    required = [field["name"] for field in fields if field["constraints"].get("required")]
    assert required == [column for column in SENT_TABLES[name].required if column in header]


def test_the_state_s_own_supports_stand_in_the_dictionary():
    files = templates(("bus_pass", "tutoring"))
    assert "named here: bus_pass, tutoring." in files["DICTIONARY.md"]
    assert "| supports | text | no | bus_pass, tutoring | " in files["DICTIONARY.md"]
    assert "coats" not in files["DICTIONARY.md"] + files["visits.schema.json"]
    fields = {field["name"]: field for field in json.loads(files["visits.schema.json"])["fields"]}
    for text, legal in (
        ("tutoring", True),
        ("tutoring;bus_pass", True),
        ("coats", False),
        ("tutoring,bus_pass", False),
    ):
        assert bool(re.fullmatch(fields["supports"]["constraints"]["pattern"], text)) is legal
    assert "INVENTED" in dictionary()


def _example(name: str) -> pd.DataFrame:
    cells = {column.name: column.example.replace("YYYY", "2031") for column in sent(SENT_TABLES[name])}
    return pd.DataFrame([cells])


def test_the_examples_are_read_as_they_stand(tmp_path):
    for name in ("visits", "attendance_by_month", "attendance_by_day"):
        _example(name).to_csv(tmp_path / f"{name}.csv", index=False)
    con = connect()
    log = sealed("reading", read_visits(con, tmp_path / "visits.csv", Reading()).table.to_pandas)
    assert log.loc[0, "result"] == "refused" in VISIT_RESULTS and log.loc[0, "language"] == "es"
    parts = tmp_path / "in_parts"
    parts.mkdir()
    for name in ("enrollment", "absences", "calendar"):
        _example(name).replace("2031", "2021", regex=True).to_csv(parts / f"{name}.csv", index=False)
    for name in ("attendance_by_month.csv", "attendance_by_day.csv", "in_parts"):
        panel = open_panel(con, tmp_path / name, Reading(), None)
        assert sealed("reading", panel.table.count().execute) == 1


def test_the_dictionary_says_bounds_and_flags():
    told = dictionary()
    assert "| days_attended | number | yes | 0 to 31 | 17.5 |" in told
    assert "| completed | flag | yes | true, false | false |" in told
    assert "| month | month | yes |  | YYYY-10 | calendar month, as YYYY-MM |" in told

"""What a vendor gets: every file that follows a template passes `check`, and the schemas say what the contract says."""

import json

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
    assert "named here: bus pass, tutoring." in dictionary(("bus pass", "tutoring"))
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
    for name in ("attendance_by_month", "attendance_by_day"):
        panel = open_panel(con, tmp_path / f"{name}.csv", Reading(), None)
        assert sealed("reading", panel.table.count().execute) == 1

"""From a state's own files to the first samples, as its analyst goes: every shape that states publish, no Python."""

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from openpyxl import Workbook
from typer.main import get_group

from leapstudy.batch.copied import LISTING, Copied, copied
from leapstudy.batch.copied import _cells as copied_cells
from leapstudy.cli import app, main
from leapstudy.cli.typed import name_study, typed
from leapstudy.core import paths
from leapstudy.data import load_study, treated_districts
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit
from leapstudy.study.public import study_all, study_district
from leapstudy.study.result import jsonable
from leapstudy.study.steps import Formed, _sizes
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import plain_page
from leapstudy.words.reading import read_result

MA = Path(__file__).parents[1] / "states" / "ma" / "data" / "raw"
YEARS = ("2017-18", "2018-19", "2021-22")
FIRST = "00010000"


@pytest.fixture(scope="module")
def figures():
    """Return Massachusetts' own figures of three years: 120 districts, two of them with hidden cells."""
    rows = pd.read_csv(MA / "dese_attendance/attendance.csv", dtype="str", keep_default_na=False)
    names = pd.read_csv(MA / "dese_districts/districts.csv", dtype="str").set_index("district_code")["district"]
    rows = rows[rows["year"].isin(YEARS) & rows["district_code"].isin(names.index)]
    hidden = rows.loc[rows["attendance_rate"] == "*", "district_code"].unique()[:2]
    whole = rows.groupby("district_code")["year"].transform("count") == len(YEARS)
    some = [*rows.loc[whole & (rows["attendance_rate"] != "*"), "district_code"].unique()[:120], *hidden]
    rows = rows[rows["district_code"].isin(some)]
    return rows.assign(name=rows["district_code"].map(names)).reset_index(drop=True)


def _wide(rows, folder):
    """Years as columns, one measure: what is hidden is a star."""
    wide = (
        rows.pivot(index=["district_code", "name"], columns="year", values="chronic_percent").fillna("").reset_index()
    )
    names = {year: f"{year} Chronically Absent %" for year in YEARS}
    wide.rename(columns={"district_code": "Org Code", "name": "District Name"} | names).to_csv(
        folder / "a.csv", index=False
    )
    return [folder / "a.csv"]


def _signs(rows, folder):
    """Percent signs, thousands, springs as years, codes that lost their zeros, tabs, lines above the table."""
    percent = [cell if cell == "*" else f"{100 * float(cell):.2f}%" for cell in rows["attendance_rate"]]
    chronic = [cell if cell == "*" else f"{cell}%" for cell in rows["chronic_percent"]]
    table = pd.DataFrame(
        {
            "LEA Number": rows["district_code"].str.lstrip("0"),
            "LEA Name": rows["name"],
            "School Year": [f"20{year[-2:]}" for year in rows["year"]],
            "Enrollment": [f"{int(n):,}" for n in rows["students"]],
            "Attendance Rate": percent,
            "Chronic Absenteeism Rate": chronic,
        }
    )
    lines = ["Department of Education", "", table.to_csv(index=False, sep="\t")]
    (folder / "a.tsv").write_text("\n".join(lines), encoding="utf-16")
    return [folder / "a.tsv"]


def _subgroups(rows, folder):
    """One row a student group and grade, counts instead of a rate, the state's own row, years in full."""
    counts = [
        cell if cell == "*" else f"{float(cell) * int(n) / 100:.0f}"
        for cell, n in zip(rows["chronic_percent"], rows["students"], strict=True)
    ]
    full = rows["year"].str[:5] + "20" + rows["year"].str[-2:]
    one = pd.DataFrame(
        {
            "DISTRICT_CODE": rows["district_code"],
            "DISTRICT_NAME": rows["name"],
            "SCHOOL_YEAR": full,
            "GRADE": "All Grades",
            "STUDENT_GROUP": "All Students",
            "STUDENT_COUNT": rows["students"],
            "CHRONIC_COUNT": counts,
            "REGION": rows["district_code"].str[3],
        }
    )
    state = one.iloc[[0]].assign(DISTRICT_CODE="99999999", DISTRICT_NAME="State Total")
    parts = [
        one,
        one.assign(GRADE="09", CHRONIC_COUNT="1"),
        one.assign(STUDENT_GROUP="Low Income", CHRONIC_COUNT="2"),
        state,
    ]
    pd.concat(parts).to_csv(folder / "a.csv", index=False)
    return [folder / "a.csv"]


def _several(rows, folder):
    """Two files a year, the year in the file's name, one of them in Windows-1252."""
    files = []
    for year in YEARS:
        own = rows[rows["year"] == year]
        tables = {
            f"enrollment_{year}.csv": {"District Code": own["district_code"], "Enrolled Students": own["students"]},
            f"attendance_{year}.csv": {
                "District Code": own["district_code"],
                "District": own["name"] + " é",
                "Attendance Rate": own["attendance_rate"],
            },
        }
        for name, columns in tables.items():
            pd.DataFrame(columns).to_csv(folder / name, index=False, encoding="cp1252")
            files.append(folder / name)
    return files


def _excel(rows, folder, years=YEARS, name="a.xlsx"):
    """A sheet a year, titles above, merged names, codes as numbers shown with zeros, percents as shown,
    a note below.
    """
    book = Workbook()
    book.remove(book.active)
    for year in years:
        sheet = book.create_sheet(year)
        for line in (["Department of Education"], [], ["", "", "", "Attendance", "Chronic absence"]):
            sheet.append(line)
        sheet.append(["District Code", "District Name", "Enrollment", "Rate", "Rate"])
        for row in rows[rows["year"] == year].itertuples():
            rates = [cell if cell == "*" else float(cell) for cell in (row.attendance_rate, row.chronic_percent)]
            rates[1] = rates[1] if rates[1] == "*" else rates[1] / 100
            sheet.append([int(row.district_code), row.name, int(row.students), *rates])
            for column, form in ((1, "00000000"), (4, "0.00%"), (5, "0.0%")):
                sheet.cell(sheet.max_row, column).number_format = form
        sheet.append(["* fewer than 100 students"])
    book.save(folder / name)
    return [folder / name]


SHAPES = {"wide": _wide, "signs": _signs, "subgroups": _subgroups, "several": _several, "excel": _excel}
# What the files cannot say: every one of their codes has lost a zero at least.
SAY = {"signs": ("--pad", "8")}
# Shapes with the one outcome, the other, and both: what comes once the figures agree knows no more of their shape.
LED = ("wide", "several", "excel")
SAID = {
    r"TODO: two letters": "MA",
    r"TODO: the state\b": "Massachusetts",
    r"TODO: agency, name[^\"]*": "a file",
    r"TODO: such as public domain": "public",
    r"TODO: how pages cite[^\"]*": "DESE",
    r"TODO: the program's full name": "INVENTED PROGRAM",
    r"TODO: what sentences call it, without 'the'[^\"]*": "Bay Visits",
    r"TODO: what was done[^\"]*": "home visits",
    r"TODO: what it did[^\"]*": "sent staff to homes",
    r"TODO: year and month[^\"]*": "2021-05",
    r"TODO: last school year[^\"]*": "2021-22",
    r"TODO: what an empty cell means": "not listed",
}


def _run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["leapstudy", *map(str, arguments)])
    monkeypatch.setenv("LEAPSTUDY_ROOT", "")
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    return ended.value.code, told.out + told.err


def _fill(study):
    place = study / "params" / "state.yml"
    text = place.read_text(encoding="utf-8")
    for asked, answer in SAID.items():
        text = re.sub(asked, answer, text)
    assert "TODO:" not in text, text
    place.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_leads_to_samples_with_its_own_figures(shape, figures, tmp_path, monkeypatch, capsys):
    files, study = SHAPES[shape](figures, tmp_path), tmp_path / "study"
    n = figures["district_code"].nunique()
    code, told = _run(monkeypatch, capsys, "new", study, "--from", *files, *SAY.get(shape, ()))
    assert code == 0 and "TODOs. Next: leapstudy --study" in told, told
    assert {path.name for path in (study / "data/raw/figures/published").iterdir()} == {
        *(path.name for path in files),
        "SHA256SUMS",
    }
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 2 and "Step 1 of 7, files" in told and "state.code: TODO" in told and "program" not in told
    _fill(study)
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert (
        code == 2 and f"3 Codes: {n} districts" in told and "Step 4 of 7" in told and "no unit has a start" in told
    ), told
    if shape == "several":
        _goes_before_a_start(study, n, monkeypatch, capsys)
    codes = figures["district_code"].unique()[:6]
    register = study / "data/raw/program/units.csv"
    with register.open("a", encoding="utf-8") as lines:
        lines.writelines(f"{code},2021-22,,INVENTED\n" for code in codes)
    assert _run(monkeypatch, capsys, "--study", study, "data", "pin", "program/units.csv")[0] == 0
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 2 and "; last_to_first: 6 against 11" in told and "Step 7 of 7" in told, told
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(study))
    _agrees_by_hand(load_study(), figures, list(codes))
    if shape in LED:
        code, told = _run(monkeypatch, capsys, "--study", study, "design", "--track", "units")
        assert code == 0 and told.startswith(f"{n - 6} districts"), told
        assert "nan" not in told and "false positives" in told, told
        _leads_to_answers(study, monkeypatch, capsys)


def _goes_before_a_start(study, n, monkeypatch, capsys):
    """Assert that who has no program yet can design, plan, and list, and is told what a start is needed for."""
    code, told = _run(monkeypatch, capsys, "--study", study, "design", "--track", "units")
    assert code == 0 and told.startswith(f"{n} districts"), told
    code, told = _run(monkeypatch, capsys, "--study", study, "plan")
    assert code == 0 and "No rollout is planned" in told and "plan.yml" not in told, told
    assert _run(monkeypatch, capsys, "--study", study, "list")[0] == 0
    for asked in (("run",), ("run", "--track", "all"), ("choose", "others", "--reason", "x")):
        code, told = _run(monkeypatch, capsys, "--study", study, *asked)
        assert code == 2 and "no unit has a start" in told and f"`leapstudy --study {study} design`" in told, told
    for asked in ((), ("--track", "all")):
        code, told = _run(monkeypatch, capsys, "--study", study, "status", *asked)
        assert code == 0 and "Units and articles wait for a start" in told, told
    settings = study / "params" / "students.yml"
    drafted = settings.read_text(encoding="utf-8")
    settings.write_text(drafted.replace('input: ""', "input: gone.csv").replace('visits: ""', "visits: log.csv"))
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 2 and "no unit has a start" in told and "gone.csv" in told, told
    settings.write_text(drafted, encoding="utf-8")


def _leads_to_answers(study, monkeypatch, capsys):
    """Do what the last step asks for; the questions of one district and of all then have their pages' answers."""
    for name in ("plan.yml", "study.yml"):
        place = study / "params" / name
        place.write_text(
            place.read_text(encoding="utf-8").replace("TODO: date", "2031-08-01").replace("TODO:", "INVENTED:"),
            encoding="utf-8",
        )
    code, told = _run(monkeypatch, capsys, "--study", study, "run")
    assert code == 2 and "The plan is not frozen yet" in told, (
        "no kernel is started for a question that cannot be asked"
    )
    place = study / "params" / "plan.yml"
    frozen = re.search(r"[0-9a-f]{64}", told)[0]
    place.write_text(place.read_text(encoding="utf-8").replace('frozen: ""', f'frozen: "{frozen}"'), encoding="utf-8")
    code, told = _run(monkeypatch, capsys, "--study", study, "choose", "others", "--reason", "INVENTED")
    assert code == 0, told
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 0 and "Every step is done" in told, told
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(study))
    for answer in (study_all(robust=False), study_district(treated_districts(load_study().districts)[0].slug)):
        result = jsonable({**answer.parts, "made": {}})
        texts = [point.answer for point in checklist(result)]
        texts += [part.text for part in plain_page(read_result(result)).sections]
        assert not [text for text in texts if "None" in text or "nan" in text.split()]


def _agrees_by_hand(data, figures, codes):
    """Compare each outcome's difference in differences with the published figures themselves."""
    columns = {"attendance_rate": ("attendance_rate", 100), "chronic_absence": ("chronic_percent", 1)}
    for outcome in data.state.outcomes:
        column, scale = columns[outcome]
        wide = figures[figures[column] != "*"].pivot(index="district_code", columns="year", values=column).astype(float)
        change = scale * (wide["2021-22"] - wide["2018-19"]).dropna()
        effect = fit(
            build_sample(
                data, Spec(comparison="others", contrast="last_to_first", edition="2021-22", outcome=outcome), codes
            )
        )
        by_hand = change[codes].mean() - change.drop(codes).mean()
        assert effect.estimate_pp == pytest.approx(by_hand, abs=0.02), outcome


def test_next_years_workbook_is_read_as_the_first_one_was(figures, tmp_path, monkeypatch, capsys):
    study = tmp_path / "study"
    _run(monkeypatch, capsys, "new", study, "--from", *_excel(figures, tmp_path, YEARS[:2], "first.xlsx"))
    _fill(study)
    again = _excel(figures, tmp_path, YEARS[2:], "later.xlsx")
    n = int((figures["year"] == YEARS[2]).sum())
    code, told = _run(monkeypatch, capsys, "--study", study, "data", "diff", *again, "--add", "--accept")
    assert code == 0 and f"{3 * n:,} added, 0 vanished" in told, told
    table = pd.read_csv(study / "data/raw/figures/attendance.csv", dtype="str")
    assert sorted(table["year"].unique()) == list(YEARS) and len(table) == len(figures)
    assert "later.xlsx" in (study / "params/intake.yml").read_text(encoding="utf-8")


def test_what_cannot_be_guessed_is_asked_with_the_columns(tmp_path, monkeypatch, capsys):
    file = tmp_path / "a.csv"
    file.write_text("thing,when,x\nA1,2018-19,90.1\nA2,2018-19,91.2\n", encoding="utf-8")
    code, told = _run(monkeypatch, capsys, "new", tmp_path / "s", "--from", file)
    assert (
        code == 2
        and "--column district_code=COLUMN" in told
        and "thing, when, x" in told
        and not (tmp_path / "s").exists()
    )
    for odd in ("code=thing", "year={year}", "=x"):
        code, told = _run(monkeypatch, capsys, "new", tmp_path / "s", "--from", file, "--column", odd)
        assert code == 2 and "Error: Unknown name of a column" in told and "Legal: " in told and "rate" in told, told
    said = ("--column", "district_code=thing", "--column", "year=when", "--column", "rate=x")
    assert _run(monkeypatch, capsys, "new", tmp_path / "s", "--from", file, *said)[0] == 0


def _planted(study):
    """Plant one fault of every kind into Massachusetts: files, columns, codes, years, starts, groups, contrasts."""
    raw, place = study / "data" / "raw", study / "params" / "state.yml"
    figures, register = raw / "dese_attendance/attendance.csv", raw / "program/units.csv"
    text = figures.read_text(encoding="utf-8").replace("0.9509", "DS").replace("00030000,2017-18", "30000,2017-18")
    figures.write_text(text.replace("00030000,2018-19", "00030000,2018-2019"), encoding="utf-8")
    with register.open("a", encoding="utf-8") as lines:
        lines.write("99990000,2023-24,,INVENTED\n00350000,2017,,INVENTED\n01370000,2024-25,,INVENTED\n")
        lines.write("00090000,2025-26,,INVENTED\n")
    words = "{ long: few, short: few, plain: { en: few, es: pocos } }"
    few = f"  few: {{ where: {{ students: {{ at_least: 30000 }} }}, why: x, words: {words} }}\n"
    odd = few.replace("few:", "odd:").replace("students:", "size:")
    state = place.read_text(encoding="utf-8").replace("groups:\n", "groups:\n" + few + odd)
    far = (
        "contrasts:\n  far: { pre: [-9], post: [0], role: sensitivity }\n  back: { pre: [0], post: [-1], role: main }\n"
    )
    place.write_text(state.replace("contrasts:\n", far), encoding="utf-8")


def test_one_check_names_all_planted_faults_of_all_steps(tmp_path, monkeypatch, capsys):
    study = shutil.copytree(MA.parents[1], tmp_path / "ma")
    _planted(study)
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    by_step = dict(zip(*[iter(re.split(r"Step (\d) of 7", told)[1:])] * 2, strict=True))
    named = {
        "1": ["attendance.csv was changed", "units.csv was changed"],
        "2": ["'DS' (", "'2018-2019'"],
        "3": ["'00030000'", "'2018-2019' is no school year"],
        "4": ["99990000 is not in", "'2017' is no school year", "01370000 has more than one start"],
        "5": ["few: 1 unit in its rule", "'size'"],
        "6": ["back: ", "far can be formed of nothing", "for the start 2025-26"],
    }
    assert code == 2 and set(named) <= set(by_step), told
    assert {word: step for step, words in named.items() for word in words if word not in by_step[step]} == {}, told
    assert told.endswith(f"Then leapstudy --study {study} check again.\n") and "Traceback" not in told


def test_a_step_that_needs_a_faulty_one_waits_for_it(tmp_path, monkeypatch, capsys):
    study = shutil.copytree(MA.parents[1], tmp_path / "ma")
    figures = study / "data/raw/dese_attendance/attendance.csv"
    figures.write_text(figures.read_text(encoding="utf-8").replace("attendance_rate", "rate"), encoding="utf-8")
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 2 and "missing columns ['attendance_rate']" in told
    assert (
        "5 Groups: waits until" in told and "6 Contrasts: waits until" in told and "4 Who started when: 6 start" in told
    )


def test_a_treated_unit_without_an_early_figure_is_named_by_check_before_any_run(tmp_path, monkeypatch, capsys):
    own = paths.root()
    study = shutil.copytree(MA.parents[1], tmp_path / "ma")
    shutil.copytree(own / "notebooks", study / "notebooks")
    for name in ("students.yml", "simulation.yml"):
        shutil.copy(own / "params" / name, study / "params" / name)
    figures = study / "data/raw/dese_attendance/attendance.csv"
    code = (study / "data/raw/program/units.csv").read_text(encoding="utf-8").splitlines()[1][:8]
    text = re.sub(rf"{code},2017-18,.*", f"{code},2017-18,100,*,*", figures.read_text(encoding="utf-8"))
    figures.write_text(text, encoding="utf-8")
    _run(monkeypatch, capsys, "--study", study, "data", "pin", "dese_attendance/attendance.csv")
    ended, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert ended == 2 and code in told and "`hidden: leave out` under `unit:` of state.yml" in told, told


def test_a_study_is_found_from_inside_its_folder_and_said(tmp_path, monkeypatch, capsys):
    study = shutil.copytree(MA.parents[1], tmp_path / "ma")
    monkeypatch.chdir(study / "data")
    told = _run(monkeypatch, capsys, "check")[1]
    assert "The study of the folder ma." in told and "411 districts" in told, told


def test_next_year_under_a_new_name_is_read_once_one_says_which_column_it_is(figures, tmp_path, monkeypatch, capsys):
    first, later = (tmp_path / name for name in ("first.csv", "later.csv"))
    table = figures.rename(columns={"district_code": "Code", "year": "Year", "attendance_rate": "Attendance Rate"})
    table, units = table[["Code", "Year", "Attendance Rate"]], table[["Code", "name"]].drop_duplicates()
    table[table["Year"] != YEARS[2]].to_csv(first, index=False)
    table[table["Year"] == YEARS[2]].rename(columns={"Attendance Rate": "ADA Pct"}).to_csv(later, index=False)
    units.assign(Area=units["Code"]).to_csv(tmp_path / "list.csv", index=False)
    study = tmp_path / "study"
    code, told = _run(monkeypatch, capsys, "new", study, "--from", first, tmp_path / "list.csv")
    assert code == 0, told
    _fill(study)
    line = ("--study", study, "data", "diff", later, "--add", "--accept")
    code, told = _run(monkeypatch, capsys, *line)
    assert code == 2 and "lacks the columns Attendance Rate" in told and "--column rate=COLUMN" in told, told
    code, told = _run(monkeypatch, capsys, *line, "--column", "rate=ADA Pct")
    assert code == 0 and f"{(table['Year'] == YEARS[2]).sum():,} added, 0 vanished" in told, told
    kept = (study / "data/raw/figures/EDITIONS.md").read_text(encoding="utf-8")
    assert "| attendance.csv |" in kept and "| districts.csv |" not in kept, "what is the same is not replaced"


def test_a_published_file_that_nothing_reads_any_more_is_named_and_stays(figures, tmp_path, monkeypatch, capsys):
    study, (first,) = tmp_path / "study", _excel(figures, tmp_path, YEARS[:2], "first.xlsx")
    _run(monkeypatch, capsys, "new", study, "--from", first)
    _fill(study)
    renamed, (later,) = shutil.copy(first, tmp_path / "newer.xlsx"), _excel(figures, tmp_path, YEARS[2:], "later.xlsx")
    line = ("--study", study, "data", "diff")
    code, told = _run(monkeypatch, capsys, *line, renamed, "--accept")
    assert code == 0 and "published/first.xlsx is read no longer. It stays" in told, told
    assert told.endswith(f"Next: leapstudy --study {study} check\n"), "as one must type it outside the study's folder"
    assert (study / "data/raw/figures/published/first.xlsx").is_file()
    told = _run(monkeypatch, capsys, *line, later, "--add", "--accept")[1]
    assert "first.xlsx is read no longer" in told and "newer.xlsx is read no longer" not in told


def test_commands_in_messages_ask_the_study_that_was_named():
    told = (
        "`leapstudy check`, then leapstudy data pin FILE; leapstudy --study x run, leapstudy new ohio; leapstudy runs"
    )
    name_study(Path("my ohio"))
    named, others = typed(told), sorted(get_group(app).commands.keys() - {"new"})
    each = [typed(f"leapstudy {name}") for name in others]
    name_study(None)
    assert len(each) > 15 and each == [f"leapstudy --study 'my ohio' {name}" for name in others]
    assert typed(told) == told
    assert named == told.replace("leapstudy check", "leapstudy --study 'my ohio' check").replace(
        "leapstudy data", "leapstudy --study 'my ohio' data"
    )


def test_the_sizes_of_a_contrast_are_told_for_each_start():
    names = ("first", "attendance_rate", "2031-32")
    tried = [Formed("first", "other", "2031-32", "2030-31", "", "no figures")]
    tried += [Formed(*names, "2029-30", "6 against 20", ""), Formed(*names, "2030-31", "", "no figures")]
    assert _sizes("first", tried) == [
        "first: 6 against 20 (attendance_rate, start 2029-30), not formed (start 2030-31)"
    ]
    assert _sizes("first", tried[:1]) == []


@pytest.fixture
def drafted(figures, tmp_path, monkeypatch, capsys):
    """Return a workspace that `new` made, as an earlier leapstudy would have left one of its notebooks."""
    _run(monkeypatch, capsys, "new", tmp_path / "own", "--from", *_wide(figures, tmp_path))
    folder = tmp_path / "own" / "notebooks"
    old = folder / "10_district.ipynb"
    old.write_text(old.read_text(encoding="utf-8").replace("# Did the program", "# Has the program"), encoding="utf-8")
    listing = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    (folder / LISTING).write_text(json.dumps(listing | {"10_district": copied_cells(old)}), encoding="utf-8")
    return folder


def test_copies_of_an_earlier_version_are_refused_and_taken_over_by_one_command(drafted, monkeypatch, capsys):
    assert copied(drafted) == Copied(stale=("10_district",))
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "run")
    assert code == 2 and "10_district are copies from an earlier leapstudy" in told and "refresh --copied" in told
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "refresh", "--copied")
    assert code == 0 and "Taken over: 10_district." in told
    assert copied(drafted) == Copied()
    assert (drafted / "10_district.ipynb").read_bytes() == (
        paths.own_root() / "notebooks/10_district.ipynb"
    ).read_bytes()
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "run")
    assert "earlier leapstudy" not in told


def test_a_copy_that_was_changed_by_hand_is_named_and_kept_and_outputs_change_nothing(drafted, monkeypatch, capsys):
    own = drafted / "10_district.ipynb"
    content = json.loads(own.read_text(encoding="utf-8"))
    content["cells"][3]["outputs"] = []
    own.write_text(json.dumps(content), encoding="utf-8")
    assert copied(drafted) == Copied(stale=("10_district",)), "what cells gave is not what they say"
    content["cells"][0]["source"] = ["# Mine"]
    own.write_text(json.dumps(content), encoding="utf-8")
    assert copied(drafted) == Copied(changed=("10_district",))
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "refresh", "--copied")
    assert code == 0 and "Kept, since you changed them: 10_district" in told and "# Mine" in own.read_text("utf-8")
    own.unlink()
    assert copied(drafted) == Copied()
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "refresh", "--copied")
    assert own.is_file() and "Taken over: 10_district." in told
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "refresh", "10_district", "--copied")
    assert code == 2 and "leave out 10_district" in told


def test_what_a_person_wrote_stays_also_where_nothing_newer_came(drafted, monkeypatch, capsys):
    changed, named_alike = drafted / "30_all_districts.ipynb", drafted / "40_explore.ipynb"
    listing = json.loads((drafted / LISTING).read_text(encoding="utf-8"))
    (drafted / LISTING).write_text(
        json.dumps({k: v for k, v in listing.items() if k != "40_explore"}), encoding="utf-8"
    )
    for own in (changed, named_alike):
        content = json.loads(own.read_text(encoding="utf-8"))
        content["cells"][0]["source"] = ["# Mine"]
        own.write_text(json.dumps(content), encoding="utf-8")
    code, told = _run(monkeypatch, capsys, "--study", drafted.parent, "refresh", "--copied")
    assert code == 0 and "Taken over: 10_district." in told
    assert all("# Mine" in own.read_text("utf-8") for own in (changed, named_alike))


def test_a_workspace_without_notebooks_gets_them_and_what_is_beside_them_by_one_command(tmp_path, monkeypatch, capsys):
    study = shutil.copytree(MA.parents[1], tmp_path / "ma")
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 2 and "refresh --copied" in told and "simulation.yml is missing" in told
    code, told = _run(monkeypatch, capsys, "--study", study, "refresh", "--copied")
    assert code == 0 and "30_all_districts" in told
    assert not list((study / "notebooks").glob("01_*")), "an article of another study is not brought"
    code, told = _run(monkeypatch, capsys, "--study", study, "check")
    assert code == 0 and (study / "data/examples/schools_simulated.csv").is_file(), told


def test_a_workspace_of_ones_own_making_has_no_copies(monkeypatch, capsys):
    assert copied(paths.notebooks()) == Copied()
    code, told = _run(monkeypatch, capsys, "refresh", "--copied")
    assert code == 2 and "`leapstudy new` did not make this workspace" in told


def test_a_state_that_publishes_another_outcome_alone_is_drafted_with_its_unit_to_be_said(
    figures, tmp_path, monkeypatch, capsys
):
    rows = figures[["district_code", "year", "students"]].assign(**{"OSS per 100": range(len(figures))})
    rows.to_csv(tmp_path / "suspensions.csv", index=False)
    command = ("new", tmp_path / "own", "--from", tmp_path / "suspensions.csv")
    code, told = _run(monkeypatch, capsys, *command)
    assert code == 2 and "--column figure=COLUMN of another outcome" in told
    code, told = _run(monkeypatch, capsys, *command, "--column", "figure=OSS per 100")
    assert code == 0 and "figure from 'OSS per 100'" in told
    state = yaml.safe_load((tmp_path / "own/params/state.yml").read_text(encoding="utf-8"))
    assert state["tables"]["attendance"]["columns"]["figure"]["kind"] == "number"
    assert "ttendance" not in state["tables"]["attendance"]["title"]
    assert list(state["outcomes"]) == ["own_outcome"] and state["outcomes"]["own_outcome"]["measure"][
        "small"
    ].startswith("TODO")


def test_columns_that_are_years_of_another_outcome_are_asked_for_and_read(tmp_path, monkeypatch, capsys):
    (tmp_path / "grad.csv").write_text(
        "LEA,2021-22,2022-23\n" + "".join(f"{n},8{n % 10},7{n % 10}\n" for n in range(101, 112))
    )
    command = ("new", tmp_path / "own", "--from", tmp_path / "grad.csv")
    code, told = _run(monkeypatch, capsys, *command)
    assert code == 2 and "figure=... for any other outcome" in told
    code, told = _run(monkeypatch, capsys, *command, "--column", "figure={year}")
    assert code == 0 and "figure from the columns '{year}'" in told


@pytest.mark.parametrize("command", ["run", "list", "status", "lab", "report"])
def test_no_help_calls_every_unit_a_district(command, monkeypatch, capsys):
    code, told = _run(monkeypatch, capsys, command, "--help")
    assert code == 0 and "Usage" in told
    assert not re.search(r"\b[Dd]istricts?\b", told.replace("all-districts", "").replace("10_district", "")), told

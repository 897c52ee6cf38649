"""A third kind of outcome by parameters alone, on INVENTED figures: a rate per 100, a mean, and a share."""

import csv
import hashlib
import json
import os
import random
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from commands import commands_in
from one_verdict import differences, shown, unsaid

import leapstudy as ls
from leapstudy.batch.choices import TOOLS
from leapstudy.cli import before
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.parameter_file import read_part
from leapstudy.core.phrases import number
from leapstudy.data import load_study
from leapstudy.data.state import State, read_state
from leapstudy.did.answering import answer_all
from leapstudy.did.design import Spec, build_panel, build_sample
from leapstudy.evidence.assess import wwc_block
from leapstudy.evidence.plan import plan_hash
from leapstudy.explore.explorer import Explorer, _still
from leapstudy.figures import rollout as figures
from leapstudy.site.index import Entry, _table, index_html
from leapstudy.study.over_years import flagged_years, screen_of
from leapstudy.study.public import study_all
from leapstudy.study.result import jsonable
from leapstudy.study.rollout.choices import Rollout
from leapstudy.study.rollout.eligibility import rates
from leapstudy.study.rollout.scenarios import design
from leapstudy.words import rollout
from leapstudy.words.appendix import checklist
from leapstudy.words.findings_sensitivity import in_time
from leapstudy.words.reading import Span

MA = Path(__file__).parent / "ma"
UNITS = {
    "suspensions": ("suspension per 100 students", "suspensions per 100 students"),
    "days_missed": ("day missed per student", "days missed per student"),
}
TABLE = {
    "file": "invented/discipline.csv",
    "title": "INVENTED suspensions, days missed and proficiency",
    "source": "INVENTED for a test",
    "rights": "public",
    "key": ["district_code", "year"],
    "columns": {
        "district_code": {"kind": "code"},
        "year": {"kind": "year"},
        "enrolled": {"kind": "count"},
        "incidents": {"kind": "count"},
        "days": {"kind": "number", "suppressed": ["*"]},
        "proficient": {"kind": "fraction"},
    },
}


def _measure(name, small, wide):
    return {"unit": {"en": list(UNITS[name]), "es": [f"{name} uno", f"{name} varios"]}, "small": small, "wide": wide}


OUTCOMES = {
    "suspensions": {
        "table": "discipline",
        "column": "incidents",
        "divided_by": "enrolled",
        "better": "down",
        "words": "suspensions",
        "plain": {"en": "suspensions", "es": "las suspensiones"},
        "measure": _measure("suspensions", 0.2, 4),
    },
    "days_missed": {
        "table": "discipline",
        "column": "days",
        "better": "down",
        "words": "average days missed",
        "plain": {"en": "average days missed", "es": "los días perdidos"},
        "measure": _measure("days_missed", 0.5, 6),
    },
    "math": {
        "table": "discipline",
        "column": "proficient",
        "better": "up",
        "words": "math proficiency",
        "plain": {"en": "math proficiency", "es": "el nivel en matemáticas"},
    },
}


def _invented():
    """Return INVENTED figures of every district and year of Massachusetts, in which no program did anything."""
    with (MA / "data/raw/dese_attendance/attendance.csv").open(newline="", encoding="utf-8") as lines:
        there = list(csv.DictReader(lines))
    chance, rows = random.Random(14), []
    level = {row["district_code"]: chance.uniform(3, 12) for row in there}
    for row in there:
        base, enrolled = level[row["district_code"]] + chance.gauss(0, 0.8), max(int(row["students"] or 0), 200)
        figures = {
            "enrolled": enrolled,
            "incidents": round(max(base, 0.1) * enrolled / 100),
            "days": f"{max(base + 4, 0.5):.2f}",
            "proficient": f"{min(max(0.7 - base / 40, 0.05), 0.95):.4f}",
        }
        rows.append({"district_code": row["district_code"], "year": row["year"], **figures})
    return rows


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Return a study of Massachusetts with three INVENTED outcomes, suspensions its primary one."""
    root = shutil.copytree(MA, tmp_path_factory.mktemp("outcome") / "ma")
    shutil.copytree(paths.root() / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns("01_*"))
    shutil.copy(paths.root() / "params/students.yml", root / "params")
    shutil.copy(paths.root() / "params/simulation.yml", root / "params")
    shutil.copy(paths.root() / "requirements.lock", root)
    shutil.copytree(paths.root() / "data/examples", root / "data/examples")
    folder = root / "data/raw/invented"
    folder.mkdir()
    rows = _invented()
    with (folder / "discipline.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    digest = hashlib.sha256((folder / "discipline.csv").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  discipline.csv\n", encoding="utf-8")
    state = _content(root, "state")
    state["tables"]["discipline"] = TABLE
    state["outcomes"] = {**OUTCOMES, **state["outcomes"]}
    _write(root, "state", state)
    study = _content(root, "study")
    study["outcome"]["value"] = "suspensions"
    _write(root, "study", study)
    plan = _content(root, "plan")
    plan["planned"]["outcome"], plan["threshold_pp"] = "suspensions", 0.5
    plan["question"], plan["estimand"] = "Did Bay Visits lower suspensions?", "Suspensions per 100 students; INVENTED."
    plan["frozen"] = plan_hash(plan)
    _write(root, "plan", plan)
    return root


def _content(root, name):
    return yaml.safe_load((root / f"params/{name}.yml").read_text(encoding="utf-8"))


def _write(root, name, content):
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (root / f"params/{name}.yml").write_text(text, encoding="utf-8")


@pytest.fixture
def study(workspace, monkeypatch):
    """Return the tables of that study, which is the one at hand."""
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(workspace))
    return load_study()


def test_a_rate_per_100_is_its_own_numerator_over_its_own_denominator(study):
    panel = build_panel(study, "suspensions", "2024-25")
    by_hand = {(row["district_code"], row["year"]): row for row in _invented()}
    assert len(panel.codes) > 300
    for code, place in ((panel.codes[5], 2), (panel.codes[-1], -1)):
        row = by_hand[code, panel.years[place]]
        assert panel.rates[panel.codes.index(code), place] == pytest.approx(100 * row["incidents"] / row["enrolled"])
        assert panel.students[panel.codes.index(code), place] == row["enrolled"]


def test_who_may_be_drawn_is_asked_of_the_outcomes_own_table(study):
    panel = build_panel(study, "suspensions", study.state.usual("editions"))
    found = rates(study, "suspensions").loc[list(panel.codes), list(panel.years)]
    np.testing.assert_allclose(found, panel.rates, rtol=1e-12)


def test_outcomes_of_one_table_tell_its_reading_once(study):
    told = study.ledger[study.ledger["table"] == "discipline"]
    assert not told[told["rule"].isin(["unify_years", "name_groups"])].duplicated().any()


def test_the_estimate_is_the_difference_in_differences_of_the_own_unit(study):
    sample = build_sample(study, Spec(outcome="days_missed"), list(study.starts))
    by_hand = sample.change_treated.mean() - sample.change_comparison.mean()
    answer = answer_all(study, Spec(outcome="days_missed"), robust=False)
    assert answer.main.estimate_pp == pytest.approx(by_hand, abs=1e-12)
    assert answer.main.outcome == "days_missed" and "days missed per student" in repr(answer)


@pytest.mark.parametrize("outcome", ["suspensions", "days_missed"])
def test_log_odds_are_of_shares_alone(study, outcome):
    with pytest.raises(BadInput, match=f"Log-odds are of shares, which '{outcome}' is not"):
        build_sample(study, Spec(outcome=outcome, scale="logodds"), list(study.starts))
    answer = answer_all(study, Spec(outcome=outcome), robust=False)
    assert set(answer.sensitivity.curve["scale"]) == {"points"}
    share = build_sample(study, Spec(outcome="math", scale="logodds"), list(study.starts))
    assert np.isfinite(share.y_treated).all() and (share.y_treated < 4).all()


def test_scaling_the_outcome_scales_the_answer_and_moves_no_p_value(study, workspace, tmp_path, monkeypatch):
    plain = answer_all(study, Spec(outcome="suspensions"), robust=False).main
    root = shutil.copytree(workspace, tmp_path / "tenfold")
    state = _content(root, "state")
    state["outcomes"]["suspensions"]["per"] = 1000
    _write(root, "state", state)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    tenfold = answer_all(load_study(), Spec(outcome="suspensions"), robust=False).main
    for name in ("estimate_pp", "se_pp", "ci_low_pp", "ci_high_pp"):
        assert getattr(tenfold, name) == pytest.approx(10 * getattr(plain, name), rel=1e-9)
    assert tenfold.p_value == plain.p_value


def test_the_panel_of_what_is_no_share_has_no_column_of_percent(study):
    assert "value" in ls.panel(outcome="days_missed") and "rate_pct" not in ls.panel(outcome="days_missed")
    assert ls.panel(outcome="math")["rate_pct"].between(5, 95).all()
    fitted = ls.diff_in_diff(ls.panel(outcome="days_missed"))
    assert "percentage" not in str(fitted)


FAULTS = {
    "table": ({"table": "absent"}, "Unknown table: 'absent'"),
    "column": ({"column": "absent"}, "Unknown column of discipline: 'absent'"),
    "kind": ({"column": "year", "divided_by": ""}, "kind year. Legal: fraction, percent, count, number"),
    "measure": ({"measure": None}, ""),
    "group": ({"group": "all"}, "has no column `group`"),
    "words": ({"plain": {"en": "suspensions"}}, "missing in es"),
    "per": ({"measure": None, "per": 1000}, "`per` is 100 for a share"),
    "no column": ({"column": ""}, "Which column of discipline"),
    "a fall of days": (
        {"table": "", "column": "", "divided_by": "", "measure": None, "plain": {}, "group": "all", "better": "down"},
        "which is better `up`",
    ),
    "no table": ({"table": ""}, "name its `table` and `column`"),
    "share with a measure": ({"column": "proficient", "divided_by": ""}, "has no `measure`"),
    "number without": ({"column": "days", "divided_by": "", "measure": None}, "a number takes a `measure`"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_an_outcome_lacks_is_said(workspace, tmp_path, name):
    changes, told = FAULTS[name]
    content = _content(workspace, "state")
    content["outcomes"]["suspensions"] |= changes
    path = tmp_path / "state.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not told:  # a count over a count without a measure is a share in percent
        assert isinstance(read_state(path), State)
        return
    with pytest.raises(BadInput, match=re.escape(told)):
        read_state(path)


def test_chronic_absence_that_is_published_as_bounds_is_refused_like_any_other(workspace, tmp_path, monkeypatch):
    root = shutil.copytree(workspace, tmp_path / "bounds")
    folder = root / "data/raw/dese_attendance"
    rows = pd.read_csv(folder / "attendance.csv", dtype=str)
    low = pd.to_numeric(rows["chronic_percent"], errors="coerce") <= 15
    rows.loc[low, "chronic_percent"] = "<= 15.0"
    rows.to_csv(folder / "attendance.csv", index=False)
    digest = hashlib.sha256((folder / "attendance.csv").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  attendance.csv\n", encoding="utf-8")
    state = _content(root, "state")
    table = next(item for item in state["tables"].values() if "chronic" in item["columns"])
    table["columns"]["chronic"]["bounded"] = {"<= 15.0": [0, 15]}
    _write(root, "state", state)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    data = load_study()
    assert data.table_of("chronic_absence").bounded == pytest.approx(low.mean(), abs=0.02)
    with pytest.raises(BadInput, match="of its figures are published as bounds"):
        build_panel(data, "chronic_absence", data.state.usual("editions"))


def test_a_share_above_100_percent_is_refused_in_words(workspace, tmp_path, monkeypatch):
    root = shutil.copytree(workspace, tmp_path / "over")
    state = _content(root, "state")
    state["outcomes"]["suspensions"] |= {"column": "enrolled", "divided_by": "incidents", "measure": None}
    _write(root, "state", state)
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    with pytest.raises(BadInput, match="enrolled is above incidents in .* rows, so that it is no share"):
        load_study()


def test_what_is_said_of_the_thresholds_contradicts_nothing(study):
    told = {
        outcome: wwc_block(study, list(study.starts), Spec(outcome=outcome))
        for outcome in ("suspensions", "chronic_absence", "attendance_rate")
    }
    assert {block.why.split("'")[0] for block in told.values()} == {
        "By chronic absence 2021-22 the baseline category is "
    }
    assert "The outcome itself, suspensions, cannot be held against the threshold" in told["suspensions"].why
    assert "Attendance itself cannot be held against the threshold" in told["attendance_rate"].why
    assert "cannot be held" not in told["chronic_absence"].why
    assert "spread" not in told["chronic_absence"].not_possible[0] and "Hedges" in told["suspensions"].not_possible[0]


def test_no_effect_on_chronic_absence_is_told_in_the_unit_of_another_outcome(study):
    answer = answer_all(study, Spec(outcome="suspensions"), robust=False)
    table = answer.sensitivity.in_time
    largest = table.loc[table["outcome"] == "suspensions", "estimate_pp"].abs().max()
    assert set(table["outcome"]) == {"suspensions", "chronic_absence"}
    assert table["estimate_pp"].abs().max() > largest, "the largest of all is of chronic absence, in points"
    said = in_time(answer)
    assert "the largest in suspensions per 100 students is" in said
    assert number(largest) in said and "points" not in said
    assert "the largest is" in in_time(answer_all(study, Spec(outcome="math"), robust=False)), "both are in points"


def test_every_outcome_with_a_table_is_screened_and_its_flags_are_on_the_page(study, workspace, monkeypatch):
    figures = study.own_tables["days_missed"].rows
    unit, years = "01370000", sorted(figures["year"].unique())
    off = (figures["district_code"] == unit) & (figures["year"] == years[-1 - 1])
    moved = figures.assign(percent=figures["percent"] + 60.0 * off)
    own_table = replace(study.own_tables["days_missed"], rows=moved)
    planted = replace(study, own_tables={**study.own_tables, "days_missed": own_table})
    flags = flagged_years(planted)
    assert set(flags["outcome"]) <= set(study.state.outcomes) and "suspensions" in set(flags["outcome"])
    own = flags[(flags["outcome"] == "days_missed") & (flags["unit"] == unit)].iloc[0]
    assert (own["year"], own["direction"]) == (years[-2], "high") and own["departure"] == pytest.approx(60, abs=5)
    spec = Spec(outcome="days_missed")
    found = screen_of(planted, spec, "ALL", None)
    assert unit in set(found.flags["unit"]) and not found.refused
    assert {(row.district, row.outcome) for row in found.headline_without} == {("without Holyoke", "days_missed")}
    assert screen_of(planted, Spec(outcome="suspensions"), "ALL", None).headline_without == (), (
        "a flag of its own outcome"
    )
    monkeypatch.setattr("leapstudy.study.public.kept_study", lambda: planted)
    told = checklist(jsonable({**study_all(outcome="days_missed", robust=False).parts, "made": {}}))
    (point,) = [item for item in told if item.title == "Composition and missing figures"]
    assert "without Holyoke" in point.answer and "No screen" not in point.answer
    rows = point.table.data
    assert ("Holyoke", "average days missed") in set(zip(rows["District"], rows["Outcome"], strict=True))


def _entry(outcome, value, low, high, code="1"):
    reading = None
    if outcome:
        reading = SimpleNamespace(
            outcome=outcome,
            code=code,
            name=outcome,
            track="public",
            effect=Span(value, low, high),
            mde=None,
            verdict=SimpleNamespace(kind="imprecise_null"),
            simulated=False,
        )
    return Entry(str(value), outcome or "failed", "done" if outcome else "failed", "public", "", (), reading, None)


def _drawn(panel):
    return [re.findall(r'(?:cx|x1|x2)="([^"]+)"', str(row["picture"])) for row in panel["rows"]]


def test_the_index_draws_outcomes_of_other_units_on_axes_of_their_own(study):
    one = [_entry("suspensions", 0.3, -0.1, 0.4), _entry(None, 0, 0, 0), _entry("suspensions", 0.5, 0.2, 0.6)]
    table = _table("public", one)
    (panel,) = table["panels"]
    assert (panel["title"], panel["axis"]) == ("", "−0.10 to +0.60"), "no panel where there is one outcome"
    assert [row["effect"] for row in panel["rows"]] == ["+0.50", "+0.30", ""]
    assert table["caption"] == f"3 runs, the highest effect first. Effects in {UNITS['suspensions'][1]}."
    more = [_entry("math", -3, -40, 20), _entry("chronic_absence", 9, 5, 60), _entry("suspensions", 0.1, 0, 0.2, "ALL")]
    table = _table("public", [*more, *one])
    assert table["caption"] == "6 runs, the highest effect first within each outcome; its unit stands above."
    first, absence, math, nothing = table["panels"]
    assert first["title"] == f"Suspensions, {UNITS['suspensions'][1]}" and first["axis"] == "−0.10 to +0.60"
    assert [row["effect"] for row in first["rows"]] == ["+0.10", "+0.50", "+0.30"], "all together stand first"
    assert absence["title"] == "Chronic absence, percentage points" and math["title"].startswith("Math proficiency, ")
    assert absence["axis"] == math["axis"] == "−40 to +60", "outcomes in one unit share their axis"
    assert (nothing["title"], nothing["axis"], len(nothing["rows"])) == ("No effect to show", "", 1)
    assert _drawn(first)[1] == ["16.4%", "16.4%", "43.3%", "97.0%", "83.6%"], "zero, both ends and the estimate"
    assert _drawn(math) == [["40.6%", "40.6%", "3.0%", "59.4%", "37.8%"]]
    page = index_html([*more[:2], *one], Path("nowhere"), "2026-11-29")
    assert page.count("scope=rowgroup") == 4 and "picture from −40 to +60" in page and "Picture<" in page


@pytest.mark.parametrize(
    ("value", "low", "high", "axis"),
    [(0.9, -0.4, 1.7, "−0.4 to +1.7"), (0.001, -0.003, 0.004, "−0.0030 to +0.0040"), (700, -20, 1800, "−20 to +1,800")],
)
def test_the_ends_of_an_axis_are_told_as_they_are(study, value, low, high, axis):
    assert _table("public", [_entry("suspensions", value, low, high)])["panels"][0]["axis"] == axis


def test_an_index_without_any_effect_speaks_of_attendance(study):
    table = _table("public", [_entry(None, 0, 0, 0)])
    assert table["caption"] == "1 run, the highest effect first. Effects in percentage points of attendance."
    assert table["panels"][0]["axis"] == "−1.0 to +1.0"


def test_the_explorer_names_its_scale_in_the_unit_of_what_is_shown(study):
    explorer = Explorer(study, "fall-river", Spec(outcome="suspensions"), TOOLS)
    scale = explorer.fields["scale"]
    assert scale.options == ((UNITS["suspensions"][1], "points"), ("log-odds", "logodds"))
    assert "suspensions per 100 students of" not in _still("Fall River", explorer.spec)
    explorer.fields["outcome"].value = "math"
    assert scale.options[0] == ("points of math proficiency", "points") and explorer.spec.outcome == "math"
    scale.value = "logodds"
    explorer.fields["outcome"].value = "attendance_rate"
    assert scale.label == "log-odds" and explorer.spec.scale == "logodds"
    assert scale.options[0] == ("points of attendance", "points")


@pytest.fixture
def designed(study):
    """Return a rollout of units whose primary outcome has a unit of its own, dealt into the INVENTED years."""
    asked = read_part(Path(__file__).parents[2] / "params/rollout.yml", Rollout)
    tries = asked.scenarios.model_copy(update={"units": ("suspensions", "math"), "phases": (1,), "deals": 100})
    change = {"track": "units", "outcome": "suspensions", "scenarios": tries, "months_after": None}
    eligible = asked.eligible.model_copy(update={"units": {}})
    return design(asked.model_copy(update={**change, "eligible": eligible}))


def _sized(made, detectable):
    return replace(made, scenarios=tuple(replace(item, detectable_visited=detectable) for item in made.scenarios))


def test_a_design_is_told_in_the_unit_of_its_outcome(designed, monkeypatch, capsys):
    unit, own = UNITS["suspensions"][1], replace(designed, scenarios=designed.scenarios[:3])
    assert {item.outcome for item in own.scenarios} == {"suspensions"}
    for made in (_sized(own, 1.0), _sized(own, 250.0), _sized(own, np.inf)):
        said = [str(rollout.recommendation(made)), str(rollout.why_by_lot(made))]
        pictures = [figures.scenarios(made), figures.chance(made), figures.money(made)]
        said += [text.get_text() for item in pictures for text in item.figure.texts]
        said += [item.title for item in pictures] + [name for item in pictures for name in item.data]
        assert unit in said[0] and unit in said[1] and not [text for text in said if "points" in text], said
    assert "finds 250.0 suspensions per 100 students" in str(rollout.recommendation(_sized(own, 250.0)))
    assert "finds none on a visited student, however large" in str(rollout.recommendation(_sized(own, np.inf)))
    monkeypatch.setattr("leapstudy.study.rollout.scenarios.design", lambda chosen: _sized(designed, 250.0))
    monkeypatch.setattr("leapstudy.study.rollout.choices.asked", lambda *_: None)
    monkeypatch.setattr("leapstudy.study.rollout.written_plan.why_not_frozen", lambda _: "")
    before.design(track="units", dollars=None)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(lines) == 6
    for line in lines:
        share = line.startswith("  math proficiency,")
        assert ("points on all offered, none on" if share else f"{unit} on all offered, 250.0 on") in line


# What a plain page of suspensions never says.
WRONG = re.compile(r"percentage point|\battendance\b|chronic absence|\basistencia\b|puntos porcentuales|more absence")


@pytest.mark.slow
def test_every_page_speaks_of_the_outcome_in_its_own_unit(workspace, monkeypatch):
    env = {**os.environ, "LEAPSTUDY_ROOT": str(workspace), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = commands_in(env)
    checked = command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = command("run", "fall-river", "all-districts", "02-the-data", "--jobs", "2")
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr
    reports = workspace / "reports"
    for slug in ("fall-river", "all-districts"):
        for lang, unit in (("plain", UNITS["suspensions"][1]), ("plain.es", "suspensions varios")):
            page = shown(reports / slug / f"{lang}.html")
            assert unit in page, (slug, lang)
            assert WRONG.findall(page.replace("is not attendance", "").replace("no es la asistencia", "")) == [], (
                slug,
                lang,
            )
        appendix = shown(reports / slug / "appendix.html")
        assert f"in {UNITS['suspensions'][1]}, whether or not it reached a student" in appendix
        assert "percentage point" not in appendix
    index = shown(reports / "index.html")
    assert "lower suspensions?" in index and f"Effects in {UNITS['suspensions'][1]}" in index
    rows = pd.read_csv(reports / "estimates.csv", dtype={"district_code": "str"})
    pooled = rows[(rows["district_code"] == "ALL") & (rows["role"] == "main")].iloc[0]
    assert pooled["outcome"] == "suspensions" and pooled["ci_low_pp"] < 0 < pooled["ci_high_pp"]
    assert {*OUTCOMES, "attendance_rate", "chronic_absence"} <= set(rows["outcome"])
    verdict = json.loads((reports / "all-districts/result.json").read_text(encoding="utf-8"))
    assert verdict["blocks"]["evidence"]["verdict"]["wide_pp"] == 4
    assert verdict["blocks"]["evidence"]["cost"] is None
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(workspace))
    assert differences(reports) == [] and unsaid(reports) == []

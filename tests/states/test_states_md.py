"""Baltimore schools without another line of Python: rows added up, bounds kept as bounds, an INVENTED lottery."""

import csv
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.formula.api as smf
import yaml
from own_files import change_yaml

import leapstudy as ls
from leapstudy.batch.job import shared_files
from leapstudy.batch.plan import make_plan
from leapstudy.cli import before
from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.files import sha256_file
from leapstudy.data import load_study
from leapstudy.data.raw import pin
from leapstudy.did.comparison import comparison_codes
from leapstudy.did.design import Spec, build_sample
from leapstudy.did.effect import fit
from leapstudy.did.lottery.visited import efficient, estimate_row
from leapstudy.did.nested import method_of
from leapstudy.study.public import ask, study_all
from leapstudy.study.result import jsonable
from leapstudy.study.rollout import written_plan
from leapstudy.study.rollout.choices import load_rollout
from leapstudy.study.rollout.eligibility import rates
from leapstudy.study.rollout.lots import JOINED, hold, write_starts
from leapstudy.study.rollout.records import read_draw, require_units_open
from leapstudy.study.rollout.scenarios import design
from leapstudy.words.appendix import checklist
from leapstudy.words.findings import drawn
from leapstudy.words.reading import read_result

MD = Path(__file__).parent / "md"
# Springs of the two used years before and of the first year, by start: 2020-21 was remote and is not used.
STARTS = {"2021-22": ("2019", "2020", "2022"), "2022-23": ("2020", "2022", "2023")}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    root = shutil.copytree(MD, tmp_path / "md")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    return root


def _rows(file):
    with (MD / "data" / "raw" / file).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _percents():
    """Return percent chronically absent by school and spring, and starts, from the files alone: no package."""
    counts: dict[tuple[str, str], list[float] | None] = {}
    for row in _rows("msde_attendance/attendance.csv"):
        key, cells = (row["unit_code"], row["year"]), (row["chronic_absentee_cnt"], row["chronic_absentee_denom"])
        so_far = counts.get(key, [0.0, 0.0])
        hidden = so_far is None or not all(cell.isdigit() for cell in cells)
        counts[key] = None if hidden else [so_far[0] + float(cells[0]), so_far[1] + float(cells[1])]
    percent = {key: 100 * pair[0] / pair[1] for key, pair in counts.items() if pair}
    return percent, {row["unit_code"]: row["start"] for row in _rows("program/units.csv")}


def _by_hand():
    """Return effect and standard error."""
    percent, starts = _percents()

    def change(code, start):
        first, second, third = (percent.get((code, year), np.nan) for year in STARTS[start])
        return third - (first + second) / 2

    schools = [row["unit_code"] for row in _rows("msde_schools/schools.csv")]
    others = [code for code in schools if code not in starts and not any(np.isnan(change(code, s)) for s in STARTS)]
    mean = {start: sum(change(code, start) for code in others) / len(others) for start in STARTS}
    effects = [change(code, start) - mean[start] for code, start in starts.items()]
    effects = [effect for effect in effects if not np.isnan(effect)]
    kept = [start for code, start in starts.items() if not np.isnan(change(code, start))]
    share = {start: kept.count(start) / len(kept) for start in STARTS}
    mixed = [sum(share[start] * change(code, start) for start in STARTS) for code in others]
    variances = [np.var(values, ddof=1) / len(values) for values in (effects, mixed)]
    return sum(effects) / len(effects), sum(variances) ** 0.5, len(effects), len(others)


def _efficient_by_hand(codes):
    """Return the effect in the first year and its standard error by Roth and Sant'Anna (2023), term by term."""
    percent, starts = _percents()
    springs = ("2018", "2019", "2020", "2022", "2023")
    first = np.array([{"2021-22": 3, "2022-23": 4}.get(starts.get(code), 5) for code in codes])
    y = {k: np.array([[percent[code, s] for s in springs] for code in codes])[first == k] for k in (3, 4, 5)}
    n = {k: len(of) for k, of in y.items()}

    def weights(back):
        early, late = n[3] / (n[3] + n[4]), n[4] / (n[3] + n[4])
        of = {k: np.zeros(5) for k in y}
        of[3][3 - back] += early
        of[4][3 - back] -= early * n[4] / (n[4] + n[5])
        of[5][3 - back] -= early * n[5] / (n[4] + n[5])
        of[4][4 - back] += late
        of[5][4 - back] -= late
        return of

    effect, before = weights(0), weights(1)
    mean = {name: sum(of[k] @ y[k].mean(axis=0) for k in y) for name, of in (("effect", effect), ("before", before))}

    def covariance(one, other):
        return sum(one[k] @ np.cov(y[k].T) @ other[k] / n[k] for k in y)

    beta = covariance(effect, before) / covariance(before, before)
    left = covariance(effect, effect) - beta * covariance(effect, before)
    return mean["effect"] - beta * mean["before"], left**0.5


def test_the_efficient_estimate_of_the_lottery_is_that_of_the_files(workspace):
    data = load_study()
    sample = build_sample(data, Spec(), list(data.starts))
    row = estimate_row(efficient(data, sample), sample, "ALL", "all")
    estimate, se = _efficient_by_hand((*sample.treated, *sample.comparison))
    assert (row.estimate_pp, row.se_pp) == pytest.approx((estimate, se), abs=1e-9)
    assert row.estimate_pp == pytest.approx(-0.1589, abs=5e-5)


def test_the_pooled_effect_is_that_of_the_files_and_zero_is_inside(workspace):
    data = load_study()
    effect = fit(build_sample(data, Spec(), list(data.starts)))
    estimate, se, n_treated, n_comparison = _by_hand()
    assert effect.estimate_pp == pytest.approx(estimate, abs=1e-9)
    assert effect.se_pp == pytest.approx(se, abs=1e-9)
    assert (len(effect.sample.treated), len(effect.sample.comparison)) == (n_treated, n_comparison) == (39, 102)
    assert effect.ci_low_pp < 0 < effect.ci_high_pp
    placebo = fit(build_sample(data, Spec(contrast="placebo_last"), list(data.starts)))
    assert placebo.ci_low_pp < 0 < placebo.ci_high_pp


def test_a_school_whose_figures_are_hidden_is_left_out_and_named(workspace):
    data = load_study()
    sample = build_sample(data, Spec(), list(data.starts))
    left = set(data.starts) - set(sample.treated)
    assert left and left <= set(sample.left_out)
    place = workspace / "params" / "state.yml"
    place.write_text(place.read_text(encoding="utf-8").replace("hidden: leave out", "hidden: refuse"), encoding="utf-8")
    with pytest.raises(BadInput, match=next(iter(left))):
        build_sample(load_study(), Spec(), list(data.starts))


def test_a_bound_is_no_figure_and_too_many_of_them_are_refused(workspace):
    data = load_study()
    years = {"2018": "2017-18", "2019": "2018-19", "2020": "2019-20", "2021": "2020-21", "2022": "2021-22"}
    bound = {
        (row["unit_code"], years.get(row["year"], "2022-23"))
        for row in _rows("msde_attendance/attendance.csv")
        if row["attend_rate_pct"].startswith((">=", "<="))
    }
    there = set(zip(data.attendance["district_code"], data.attendance["year"], strict=True))
    assert bound and not bound & there
    n = len({(row["unit_code"], row["year"]) for row in _rows("msde_attendance/attendance.csv")})
    assert data.bounded["2022-23"] == pytest.approx(len(bound) / n)
    with pytest.raises(BadInput, match=r"8% of its figures are published as bounds"):
        build_sample(data, Spec(outcome="attendance_rate"), list(data.starts))


def test_refusals_and_the_ledger_speak_of_schools(workspace):
    data = load_study()
    assert "district" not in data.ledger[["reason", "districts"]].to_csv(header=False, index=False)
    with pytest.raises(BadInput, match="one school cannot show how far schools vary"):
        build_sample(data, Spec(comparison=("30-0004",)), list(data.starts))


def test_an_outcome_that_ends_before_the_start_names_no_other_that_does(workspace):
    data = replace(load_study(), starts={"30-0205": "2023-24"})
    with pytest.raises(BadInput, match="for an effect add a later year's figures"):
        build_sample(data, Spec(contrast="last_to_first"), ["30-0205"])


def test_the_lots_are_dealt_anew_as_by_a_slow_twin(workspace):
    data = load_study()
    effect = fit(build_sample(data, Spec(), list(data.starts)))
    own = effect.sample.by_start
    change = own.y[:, :, -1] - own.y[:, :, :2].mean(axis=2)
    start = np.concatenate([own.started, np.full(len(effect.sample.comparison), -1)])
    labels = np.where(np.isnan(change).any(axis=0) & (start >= 0), start, 9)  # a treated unit unknown elsewhere stays
    rng, far, draws = np.random.default_rng(11), 0, 1000

    def statistic(dealt):
        others = change[:, dealt < 0]
        gaps = [change[first, place] - others[first].mean() for place, first in enumerate(dealt) if first >= 0]
        mixed = sum((dealt == first).sum() / len(gaps) * others[first] for first in (0, 1))
        return np.mean(gaps) / (np.var(gaps, ddof=1) / len(gaps) + np.var(mixed, ddof=1) / len(mixed)) ** 0.5

    assert (labels == 9).all()
    observed = abs(statistic(start))
    for _ in range(draws):
        far += abs(statistic(rng.permutation(start))) >= observed
    assert effect.test.p_value == pytest.approx(far / draws, abs=0.04)
    assert method_of(effect.sample) == "lottery_redraws"


def test_a_group_picked_from_those_that_wait_is_none_of_the_lottery(workspace):
    data = load_study()
    some = comparison_codes(data, "others")[:60]
    assert build_sample(data, Spec(comparison=some), list(data.starts)).nested is None
    level = build_sample(data, Spec(comparison="elementary"), list(data.starts))
    assert level.nested is not None and level.nested.drawn


def test_the_page_says_that_lots_decided_and_how_many_are_lost(workspace):
    study = study_all(robust=False)
    told = drawn(study)
    assert told.startswith("Lots decided which schools have City Visits") and "attrition is high" in told
    waiting = set(study.data.districts["district_code"]) - set(study.data.starts)
    lost = study.evidence.attrition
    assert lost.differential_pct == pytest.approx(100 * abs(39 / 40 - 102 / len(waiting)))
    assert study.answer.drawn.n_units == 141 and study.answer.drawn.redraw_low < 0 < study.answer.drawn.redraw_high
    assert not study.evidence.essa.conditions[0].met and "lost" in study.evidence.essa.conditions[0].reason


def _in_networks(root, network):
    """Give every school an INVENTED larger unit, and the study the choice to take it for a cluster."""
    starts = {row["unit_code"]: row["start"] for row in _rows("program/units.csv")}
    rows = _rows("msde_schools/schools.csv")
    path = root / "data" / "raw" / "msde_schools" / "schools.csv"
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, [*rows[0], "network"])
        writer.writeheader()
        writer.writerows(
            row | {"network": network(starts.get(row["unit_code"], "none"), place)} for place, row in enumerate(rows)
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  schools.csv\n", encoding="utf-8")
    state = (root / "params" / "state.yml").read_text(encoding="utf-8")
    without_lots = "".join(line for line in state.splitlines(True) if not line.startswith("  lottery:"))
    parent = "  parent: { column: network, noun: { en: [network, networks], es: [red, redes] } }\n  hidden: leave out"
    column = "\n      network: { kind: text }\n      level: { kind: text, blank"
    changed = without_lots.replace("  hidden: leave out", parent).replace("\n      level: { kind: text, blank", column)
    (root / "params" / "state.yml").write_text(changed, encoding="utf-8")
    with (root / "params" / "study.yml").open("a", encoding="utf-8") as lines:
        lines.write("nested: { value: cluster, unit: none or cluster or stratum, reason: Networks chose together. }\n")


@pytest.fixture
def own_notebooks():
    """Return the package's notebooks; asked before the workspace is another state's."""
    return paths.root() / "notebooks"


def test_what_units_belong_to_goes_from_the_parameters_to_the_answer(own_notebooks, workspace):
    _in_networks(workspace, lambda start, place: f"{start} {place % (3 if start != 'none' else 15)}")
    shutil.copytree(own_notebooks, workspace / "notebooks")
    data = load_study()
    plan = {run.slug: run for run in make_plan(data, ["all-districts"], "public", {}, workspace / "reports")}
    assert plan["all-districts"].parameters["nested"] == "cluster"
    main = study_all(robust=False).answer.main
    assert main.p_method == "cluster_permutation"
    typed = make_plan(data, ["all-districts"], "public", {"nested": "none"}, workspace / "reports")
    assert typed[0].parameters["nested"] == "none"
    assert study_all(robust=False, nested="none").answer.main.estimate_pp == pytest.approx(main.estimate_pp, abs=1e-12)


def test_a_cluster_of_both_sides_is_refused_before_any_kernel(own_notebooks, workspace):
    _in_networks(workspace, lambda start, place: f"N{place % 12}")
    shutil.copytree(own_notebooks, workspace / "notebooks")
    with pytest.raises(BadInput, match="Set nested to 'stratum'"):
        make_plan(load_study(), ["all-districts"], "public", {}, workspace / "reports")
    within = study_all(robust=False, nested="stratum").answer.main
    assert within.p_method == "stratum_permutation" and within.ci_low_pp < 0 < within.ci_high_pp
    model = smf.ols("rate_pct ~ treated:post + C(district_code) + C(year)", ls.panel(nested="stratum")).fit()
    assert model.params["treated:post"] == pytest.approx(within.estimate_pp, abs=1e-9)
    parts = study_all(robust=False, nested="stratum").parts
    texts = [point.answer for point in checklist(jsonable({**parts, "made": {}}))]
    assert any("the predictions of single schools beside the line of the rebound do not" in text for text in texts)


@pytest.fixture
def drawn_schools(workspace):
    """Return a workspace in which nobody had started, and a draw of its schools that met a rule over their figures."""
    for name in ("students.yml", "simulation.yml", "rollout.yml"):
        shutil.copy(paths.own_root() / "params" / name, workspace / "params" / name)
    register = workspace / "data" / "raw" / "program" / "units.csv"
    register.write_text("unit_code,start,end,source\n", encoding="utf-8")
    pin(register.parent, {register.name: sha256_file(register)})
    change_yaml(workspace / "params" / "state.yml", program__lottery=None)
    rules = {"chronic_absence 2018-19": {"at_least": 10}}
    changes = {
        "track": "units",
        "question": "Did City Visits lower chronic absence in schools?",
        "eligible__units": rules,
        "strata__units": ["level"],
        "phases": {"2023-24": 0.15, "2024-25": 0.15},
        "outcome": "chronic_absence",
        "months_after": None,
        "scenarios__units": ["chronic_absence"],
        "seed": "evening 4711",
        "announced": "2026-11-01",
    }
    change_yaml(workspace / "params" / "rollout.yml", **changes)
    return workspace


def _named(workspace):
    """Name the draw in the study as `leapstudy draw --starts` says, and ask with those who wait."""
    words = {"long": "schools that drew lots and wait", "short": "waiting"}
    group = {
        "where": {"in_draw": True},
        "words": {**words, "plain": {"en": "waiting", "es": "en espera"}},
        "why": "Lots.",
    }
    change_yaml(
        workspace / "params" / "state.yml",
        program__lottery={"source": "a draw", "draw": "draw_1.csv"},
        groups__waiting=group,
    )
    change_yaml(workspace / "params" / "study.yml", comparison__value="waiting")


def test_a_draw_of_schools_is_analyzed_by_its_own_list(drawn_schools, capsys):
    """Schools drawn by a rule over figures, within strata of which small ones are joined: no column says who."""
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2021-22": 0.15, "2022-23": 0.15})
    made = hold(load_rollout(), None, "")
    before.draw(starts=made.path)
    told = capsys.readouterr().out
    assert f"has {made.record.n_units - made.record.waiting} starts of draw_1.csv" in told
    assert "lottery: { source: a draw of leapstudy, draw: draw_1.csv }" in told
    stated = yaml.safe_load(told[told.index("  waiting:") : told.index("Ask with it")])
    assert stated["waiting"]["where"] == {"in_draw": True}
    _named(drawn_schools)
    data, drawn = load_study(), {item.unit: item for item in read_draw(made.path)[1]}
    assert {code: drawn[code].phase for code in data.starts} == data.starts
    assert len(data.starts) == made.record.n_units - made.record.waiting
    waiting = {code for code, item in drawn.items() if item.phase == "waiting"}
    assert set(comparison_codes(data, "waiting")) == waiting < set(comparison_codes(data, "others"))
    assert JOINED in data.lots.values() and data.lots == {code: item.stratum for code, item in drawn.items()}
    sample = build_sample(data, ask(), list(data.starts))
    codes = (*sample.treated, *sample.comparison)
    assert sample.nested.drawn and sample.nested.strata == tuple(drawn[code].stratum for code in codes)
    assert method_of(sample) == "lottery_redraws"
    before.draw(starts=made.path)  # again: nothing is written twice
    assert load_study().starts == data.starts


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: change_csv(root, lambda text: text.replace(",2021-22,", ",2022-23,", 1)), "another start than"),
        (lambda root: change_csv(root, lambda text: "".join(text.splitlines(True)[:-1])), "another start than"),
        (lambda root: (root / "params" / "draw_1.csv").unlink(), "is no file"),
        (lambda root: (root / "params" / "draw_1.csv").write_text("unit,phase\n"), "lacks the columns stratum"),
        (
            lambda root: change_yaml(root / "params" / "state.yml", program__lottery__within=["level"]),
            "leave out where",
        ),
        (
            lambda root: change_yaml(root / "params" / "state.yml", program__lottery__draw="../draw_1.csv"),
            "match pattern",
        ),
    ],
)
def test_starts_that_are_not_those_of_the_draw_are_refused(drawn_schools, spoil, words):
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2021-22": 0.15, "2022-23": 0.15})
    write_starts(hold(load_rollout(), None, "").path)
    _named(drawn_schools)
    load_study()
    spoil(drawn_schools)
    with pytest.raises(BadInput, match=words):
        load_study()


def test_a_phase_after_the_newest_figures_waits_until_they_reach_it(drawn_schools, capsys):
    """Phases of 2022-23 and 2023-24, figures to 2022-23: the first is answered, and the second waits meanwhile."""
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2022-23": 0.15, "2023-24": 0.15})
    made = hold(load_rollout(), None, "")
    before.draw(starts=made.path)
    phases = {item.unit: item.phase for item in read_draw(made.path)[1]}
    later = {unit for unit, phase in phases.items() if phase == "2023-24"}
    assert f"{len(later)} schools of later phases wait until figures reach" in capsys.readouterr().out
    _named(drawn_schools)
    data = load_study()
    assert set(data.starts.values()) == {"2022-23"} and later < set(comparison_codes(data, "waiting"))
    main = study_all(robust=False).answer.main
    first = sum(phase == "2022-23" for phase in phases.values())
    assert main.p_method == "lottery_redraws" and first - 5 < main.n_treated <= first, "some lack a figure"
    unit = min(unit for unit, phase in phases.items() if phase == "2022-23")
    change_csv(drawn_schools, lambda text: "".join(line for line in text.splitlines(True) if unit not in line))
    with pytest.raises(BadInput, match="another start than"):
        load_study()


def test_a_phase_that_figures_reach_may_not_be_forgotten(drawn_schools, capsys):
    """Else those who drew it would be compared as if they waited, when nobody types the command again."""
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2021-22": 0.15, "2022-23": 0.15})
    path = hold(load_rollout(), None, "").path
    before.draw(starts=path)
    _named(drawn_schools)
    register, text = drawn_schools / "data" / "raw" / "program" / "units.csv", path.read_text(encoding="utf-8")
    assert load_study().newest == "2022-23"
    shutil.copy(paths.own_root() / "params" / "rollout.yml", drawn_schools / "params")  # today's choices do not matter
    whole = register.read_bytes()
    change_csv(drawn_schools, lambda rows: "".join(row for row in rows.splitlines(True) if ",2022-23," not in row))
    with pytest.raises(BadInput, match="another start than draw_1.csv drew"):
        load_study()
    before.draw(starts=path)
    assert sorted(register.read_bytes().splitlines()) == sorted(whole.splitlines()) and load_study()
    path.write_text(text + text.splitlines(True)[-1], encoding="utf-8")
    with pytest.raises(BadInput, match="twice: no draw does"):
        load_study()


def test_before_any_phase_has_figures_no_start_is_written(drawn_schools, capsys):
    path, register = hold(load_rollout(), None, "").path, drawn_schools / "data" / "raw" / "program" / "units.csv"
    kept = register.read_bytes()
    before.draw(starts=path)
    told = capsys.readouterr().out
    assert "of later phases wait until figures reach" in told and "choose" not in told and register.read_bytes() == kept


def test_starts_that_no_study_could_use_are_not_written(drawn_schools):
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2020-21": 0.15, "2021-22": 0.15})
    register = drawn_schools / "data" / "raw" / "program" / "units.csv"
    path, kept = hold(load_rollout(), None, "").path, register.read_bytes()
    with pytest.raises(BadInput, match="'2020-21' is a year that the study does not use"):
        write_starts(path)
    assert register.read_bytes() == kept
    change_yaml(drawn_schools / "params" / "rollout.yml", phases={"2021-09": 0.15, "2022-23": 0.15})
    with pytest.raises(BadInput, match="'2021-09' is none"):
        load_rollout()


def test_outcomes_stay_closed_and_lists_stay_where_the_record_of_draws_is_gone(drawn_schools, monkeypatch):
    """A record taken out neither opens outcomes before the planned day nor lets another seed write over the list."""
    monkeypatch.setattr(written_plan, "newest_period", lambda track, outcome: "2020-21")
    changes = {"phases": {"2021-22": 0.15, "2022-23": 0.15}, "analysis_from": "2999-07-01"}
    change_yaml(drawn_schools / "params" / "rollout.yml", **changes)
    written_plan.freeze(load_rollout(), "")
    path = hold(load_rollout(), None, "").path
    write_starts(path)
    change_yaml(drawn_schools / "params" / "state.yml", program__lottery={"source": "a draw", "draw": "draw_1.csv"})
    kept = path.read_bytes()
    for gone in (False, True):
        if gone:
            (drawn_schools / "params" / "draws.json").unlink()
        with pytest.raises(BadInput, match="closed until 2999-07-01"):
            require_units_open(load_study())
    change_yaml(drawn_schools / "params" / "state.yml", program__lottery=None)
    change_csv(drawn_schools, lambda text: text.splitlines(True)[0])
    assert hold(load_rollout(), None, "").path.read_bytes() == kept, "the same seed gives the same list"
    (drawn_schools / "params" / "draws.json").unlink()
    change_yaml(drawn_schools / "params" / "rollout.yml", seed="another")
    with pytest.raises(BadInput, match="draw_1.csv is there already, and no draw on record made it"):
        hold(load_rollout(), None, "")
    assert path.read_bytes() == kept
    with pytest.raises(BadInput, match="There is no list draw_9.csv in params/"):
        read_draw(path.with_name("draw_9.csv"))


def change_csv(root, change):
    register = root / "data" / "raw" / "program" / "units.csv"
    _pinned(register, change(register.read_text(encoding="utf-8")))


def test_starts_are_not_written_over_nor_from_elsewhere(drawn_schools, tmp_path):
    made = hold(load_rollout(), None, "")
    elsewhere = shutil.copy(made.path, tmp_path / "draw_1.csv")
    with pytest.raises(BadInput, match="no list of units in params"):
        write_starts(Path(elsewhere))
    unit = next(item.unit for item in read_draw(made.path)[1] if item.phase == "2023-24")
    change_csv(drawn_schools, lambda text: f"{text}{unit},2020-21,,elsewhere\n".replace("2020-21", "2019-20"))
    with pytest.raises(BadInput, match=f"gives {unit} another start than draw_1.csv drew"):
        write_starts(made.path)


def test_from_a_frozen_plan_of_schools_to_the_page_that_quotes_it(drawn_schools):
    """Plan and draw with the figures that there were, then the later ones: the page says what was promised."""
    figures = drawn_schools / "data" / "raw" / "msde_attendance" / "attendance.csv"
    whole = figures.read_text(encoding="utf-8")
    known = [line for line in whole.splitlines(True) if ",2022," not in line and ",2023," not in line]
    changes = {"phases": {"2021-22": 0.15, "2022-23": 0.15}, "analysis_from": "2023-07-01"}
    change_yaml(drawn_schools / "params" / "rollout.yml", **changes)
    with pytest.raises(BadInput, match="'2021-22' starts in a school year of which there are figures already"):
        written_plan.freeze(load_rollout(), "")
    _pinned(figures, "".join(known))
    change_yaml(drawn_schools / "params" / "rollout.yml", analysis_from="2023-06-30")
    with pytest.raises(BadInput, match="last phase's first year ends on 2023-06-30"):
        written_plan.freeze(load_rollout(), "")
    change_yaml(drawn_schools / "params" / "rollout.yml", analysis_from="2023-07-01")
    plan = written_plan.freeze(load_rollout(), "")
    assert "visited" not in plan["analysis"] and "contrast of params/plan.yml" in plan["analysis"]["offer"]
    path = hold(load_rollout(), None, "").path
    _pinned(figures, whole)
    write_starts(path)
    _named(drawn_schools)
    study = study_all(robust=False)
    assert study.lots.question == "Did City Visits lower chronic absence in schools?"
    assert (study.answer.main.p_method, study.answer.main.n_treated) == ("lottery_redraws", 41)
    told = drawn(study)
    assert "draw 1 of 1 on record" in told and "made after its first start, 2021-22" in told
    assert "a plan was frozen before it; seed 'evening 4711'" in told and "within the list's strata" in told
    reading = read_result(jsonable({**study.parts, "made": {}}))
    assert reading.promise == (study.lots.question, "2023-07-01")
    files = shared_files("public")
    assert {"draws.json", "rollout_plan.yml", "draw_1.csv"} < {file.name for file in files}
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Elementary", "elementary"), encoding="utf-8")
    with pytest.raises(BadInput, match="it was changed"):
        study_all(robust=False)


def _pinned(file, text):
    file.write_text(text, encoding="utf-8")
    pin(file.parent, {file.name: sha256_file(file)})


def test_design_deals_into_no_year_that_the_study_does_not_use(drawn_schools):
    change_yaml(drawn_schools / "params" / "rollout.yml", scenarios__offered=[0.25], scenarios__phases=[1])
    made = design(load_rollout())
    assert "2020-21" in rates(load_study(started=False), "chronic_absence") and len(made.scenarios) == 1
    change_yaml(drawn_schools / "params" / "state.yml", calendar__gap=[])
    with_remote = design(load_rollout())
    assert with_remote.scenarios[0].dealt.detectable != made.scenarios[0].dealt.detectable
    change_yaml(drawn_schools / "params" / "state.yml", calendar__gap=["2020-21"])
    figures = drawn_schools / "data" / "raw" / "msde_attendance" / "attendance.csv"
    lines = figures.read_text(encoding="utf-8").splitlines(True)
    _pinned(figures, "".join(line for line in lines if ",2021," not in line))
    assert design(load_rollout()).scenarios[0].dealt.detectable == made.scenarios[0].dealt.detectable

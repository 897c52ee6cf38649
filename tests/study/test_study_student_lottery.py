"""A draw from list to estimates: SIMULATED students whose true effects are known, and a draw worked by hand."""

import dataclasses
import json
import re
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from own_files import change_yaml
from student_parts import FIGURES, HOLE, SENTENCES

from leapstudy.core import paths
from leapstudy.core.errors import BadInput
from leapstudy.core.names import WAITING
from leapstudy.core.phrases import number, probability
from leapstudy.did.lottery.rollout import rollout
from leapstudy.figures.plain import plain_chart
from leapstudy.students.handle import open_students
from leapstudy.students.lottery import read_lottery
from leapstudy.students.lottery_outcomes import LotteryOutcomes, lottery_outcomes
from leapstudy.students.settings import Rollout, load_settings
from leapstudy.students.simulate import default_simulation, load_config, write_simulation
from leapstudy.students.simulate.blocks import simulate
from leapstudy.study.rollout.choices import load_rollout, promised
from leapstudy.study.student_files import stored_state
from leapstudy.study.student_lottery import DOSE, NOBODY, OFFER, ONE_MORE, VISITED, _estimates, lottery_answer, usable
from leapstudy.study.students import study_students
from leapstudy.words import findings_students
from leapstudy.words.appendix import checklist
from leapstudy.words.plain_page import LANGUAGES, catalog, plain_page
from leapstudy.words.reading import read_result

STARTS = {"first": "2021-09", "second": "2022-01"}
OFFER_PART = {"starts": STARTS, "share": 0.6, "crossover": 0.03}
DISTRICTS = {"0640011": 1500, "0770011": 1200}
OUTCOMES_FROM = date(2022, 7, 1)


def _config(**changes):
    return load_config().with_changes(districts=DISTRICTS, visits__offer=OFFER_PART, **changes)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return configuration, files and outcomes of a SIMULATED state that drew lots in two phases."""
    config = _config()
    files = write_simulation(tmp_path_factory.mktemp("draw") / "students.parquet", config)
    lottery = read_lottery(files.draw, "student", STARTS)
    return config, files, lottery, lottery_outcomes(open_students(files.panel, files.visits), lottery)


def _truth(config):
    """Return the true effect of the offer and of being visited, averaged as the estimator averages them."""
    edges = [10 + int(place) for place in (0, 4)] + [20]  # school months: September and January of the second year
    gains, seen, sizes = [], [], []
    for block in simulate(config):
        phase = block.referrals.phase
        gain = 100 * (block.absent_without - block.absent)
        since = int((config.visit_months < config.months[10]).sum())  # the visit months begin in summer, before them
        met = np.where(block.referrals.completed, block.referrals.month - since + 10, 99)
        for place in (0, 1):
            for period in range(place, 2):
                months = slice(edges[period], edges[period + 1])
                rows = (phase == place) & block.present[:, 19]
                wait = (phase > period) & block.present[:, 19]
                points = gain[:, months].sum(axis=1) / block.days[months].sum()
                share = met < edges[period + 1]
                gains.append(points[rows].mean() - points[wait].mean())
                seen.append(share[rows].mean() - share[wait].mean())
                sizes.append(rows.sum())
    return np.average(gains, weights=sizes), np.average(seen, weights=sizes)


def test_the_whole_chain_covers_the_truth(drawn):
    config, _, _, outcomes = drawn
    answer = lottery_answer(outcomes, "SIMULATED", OUTCOMES_FROM, "", 7)
    offer, moved = _truth(config)
    assert answer.offer.role == "main" and answer.offer.estimator == OFFER
    assert answer.offer.ci_low_pp < offer < answer.offer.ci_high_pp
    visited = answer.row(VISITED)
    assert visited.ci_low_pp < offer / moved < visited.ci_high_pp
    assert visited.estimate_pp > answer.offer.estimate_pp > 0
    assert answer.row(DOSE).estimate_pp < visited.estimate_pp
    assert answer.verdict.kind == "positive" and answer.essa.tier == 1
    assert [item.met for item in answer.essa.conditions if 1 in item.tiers] == [True] * 5
    assert answer.outcomes_from == "2022-07-01"


def test_outcomes_are_those_of_a_slow_twin(drawn):
    _, files, lottery, outcomes = drawn
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    phase = lottery.units.set_index("unit")["phase"]
    rng = np.random.default_rng(3)
    edges = [pd.Timestamp(f"{month}-01") for month in (*STARTS.values(), "2030-01")]
    for place in rng.choice(len(phase), 40, replace=False):
        unit = phase.index[place]
        rows = panel[panel["student"] == unit]
        visits = log[(log["student"] == unit) & log["completed"]]["visit_date"]
        assert outcomes.start[place] == {"first": 1, "second": 2, WAITING: 3}[phase[unit]]
        for period in range(3):
            month = pd.to_datetime(rows["month"])
            after = month >= edges[period - 1] if period else month < edges[0]
            own = rows[after & (month < edges[period])]
            rate = 100 * own["days_attended"].sum() / own["days_enrolled"].sum() if len(own) else np.nan
            assert outcomes.outcome[place, period] == pytest.approx(rate, nan_ok=True)
            by_then = (pd.to_datetime(visits) < edges[period]).sum()
            assert outcomes.visits[place, period] == by_then and outcomes.visited[place, period] == min(by_then, 1)


def test_a_draw_of_districts_adds_up_its_students(drawn, tmp_path):
    _, files, _, _ = drawn
    path = tmp_path / "draw.csv"
    pd.DataFrame({"unit": list(DISTRICTS), "stratum": "all", "phase": ["first", WAITING]}).to_csv(path, index=False)
    outcomes = lottery_outcomes(
        open_students(files.panel, files.visits), read_lottery(path, "district", {"first": "2021-09"})
    )
    panel = pd.read_parquet(files.panel)
    before = panel[pd.to_datetime(panel["month"]) < "2021-09-01"]
    sums = before.groupby("district_code", observed=True)[["days_attended", "days_enrolled"]].sum().loc[list(DISTRICTS)]
    assert outcomes.outcome[:, 0] == pytest.approx((100 * sums["days_attended"] / sums["days_enrolled"]).to_numpy())
    assert (
        outcomes.students.tolist()
        == before.groupby("district_code", observed=True)["student"].nunique().loc[list(DISTRICTS)].tolist()
    )


def test_months_after_the_last_that_counts_are_as_if_not_in_the_files(drawn, tmp_path):
    _, files, lottery, whole = drawn
    panel, log = pd.read_parquet(files.panel), pd.read_parquet(files.visits)
    early = tmp_path / "early.parquet"
    panel[pd.to_datetime(panel["month"]) < "2022-04-01"].to_parquet(early)
    log[~(pd.to_datetime(log["visit_date"]) >= "2022-04-01")].to_parquet(tmp_path / "log.parquet")
    until = lottery_outcomes(open_students(files.panel, files.visits), lottery, until="2022-03")
    twin = lottery_outcomes(open_students(early, tmp_path / "log.parquet"), lottery)
    for name in ("outcome", "visited", "visits"):
        np.testing.assert_allclose(getattr(until, name), getattr(twin, name), equal_nan=True)
    assert until.last == twin.last == "2022-03" and until.visits.sum() < whole.visits.sum()


def _by_hand(**changes) -> LotteryOutcomes:
    """Return 80 students in two strata; half are offered visits,
    three of four of them are visited and gain 8 points.
    """
    rng = np.random.default_rng(11)
    n, start = 80, np.tile([1, 2], 40)
    visited = np.zeros((n, 2))
    visited[(start == 1) & (np.arange(n) % 8 < 6), 1] = 1
    before = 80 + rng.normal(0, 6, n)
    after = before + 8 * visited[:, 1] + rng.normal(0, 1, n)
    made = LotteryOutcomes(
        np.stack([before, after], axis=1),
        visited,
        2 * visited,
        start,
        np.repeat([0, 1], 40),
        np.ones(n, dtype=int),
        2,
        "student",
        "2026-10",
        "2027-06",
    )
    return dataclasses.replace(made, **changes)


def test_the_rows_are_those_of_the_estimators():
    data = _by_hand()
    answer = lottery_answer(data, "own", None, "attendance in spring", 1)
    one = rollout(data.outcome, data.start, data.strata, seed=1)
    assert answer.offer.estimate_pp == one.estimate and answer.offer.p_value == one.p_value
    assert answer.row(VISITED).estimate_pp == pytest.approx(one.estimate / 0.75)
    assert answer.row(DOSE).estimate_pp == pytest.approx(one.estimate / 1.5)
    assert answer.promised == "attendance in spring"
    assert answer.essa.tier == 3  # 80 students are no large sample
    assert dict(answer.card)["Leavers"] == "nobody left"
    assert dict(answer.card)["Per visit"].endswith(ONE_MORE)


def test_leavers_count_against_the_study():
    outcome = _by_hand().outcome.copy()
    outcome[(_by_hand().start == 1) & (np.arange(80) % 5 == 0), 1] = np.nan
    answer = lottery_answer(_by_hand(outcome=outcome), "own", None, "", 1)
    card = dict(answer.card)
    assert "overall 10.0%, differential 20.0 points" in card["Attrition"] and "high" in card["Attrition"]
    assert "Lee bounds" in card["Leavers"]
    assert not answer.essa.conditions[0].met
    assert answer.essa.conditions[0].reason == "not met because too many of those who were drawn are lost to follow-up"
    assert answer.offer.n_treated == 32 and answer.offer.n_comparison == 40


def test_a_list_that_was_not_drawn_is_told():
    outcome = _by_hand().outcome + 20.0 * (_by_hand().start == 1)[:, None]
    verdict = lottery_answer(_by_hand(outcome=outcome), "own", None, "", 1).verdict
    assert verdict.kind == "failed_placebo" and "not what was drawn" in verdict.reasons[0]


def test_an_offer_that_moves_nobody_says_so():
    answer = _answer_of(_by_hand(visited=np.zeros((80, 2)), visits=np.zeros((80, 2))))
    assert answer.row(VISITED) is answer.row(DOSE) is None and answer.offer == _answer_of(_by_hand()).offer
    card = dict(answer.card)
    assert card["Being visited"] == NOBODY and not {"Per visit", "Strength of the offer"} & set(card)


def test_a_draw_that_was_made_after_its_first_start_is_no_experiment():
    kept, late = (lottery_answer(_by_hand(), "own", None, "", 1, late=late) for late in (False, True))
    first, own = (next(item for item in one.essa.conditions if item.tiers == (1,)) for one in (kept, late))
    assert first.met and not own.met and "does not rest on a draw by lot" in own.reason
    told = findings_students._promised(dataclasses.replace(late, on_record=True, promised="Do visits help?"))
    assert "made after its first start" in told and "Do visits help?" not in told


def test_visits_that_the_offer_did_not_move_are_told_as_such():
    alike = np.tile([[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], (20, 1))
    card = dict(_answer_of(_by_hand(visited=alike, visits=alike)).card)
    assert "moved few visits" in card["Being visited"] and "moved 0%" in card["Strength of the offer"]


def test_a_figure_of_visits_that_excludes_nothing_stands_on_no_page():
    """By chance a few more of those offered were visited: a best estimate of 26 points would mean nothing."""
    shapes = set()
    for seed in range(6):
        visited = np.zeros((80, 2))
        visited[np.random.default_rng(seed).permutation(80)[:40], 1] = 1
        drawn = _by_hand(visited=visited, visits=visited)
        found = _estimates(drawn, usable(drawn), 1).visited
        shapes |= {found.shape} if abs(found.estimate) < 100 else set()
        assert (_answer_of(drawn).row(VISITED) is None) == (found.shape != "bounded" or abs(found.estimate) > 100)
    assert shapes - {"bounded"}, "one that the row would have had"


def _answer_of(drawn):
    return lottery_answer(drawn, "own", None, "", 1)


def test_an_effect_beyond_what_a_share_can_change_by_is_not_told():
    visited = np.zeros((80, 2))
    visited[0, 1] = 1  # one of those offered
    answer = lottery_answer(_by_hand(visited=visited, visits=visited), "own", None, "", 1)
    assert answer.offer.estimate_pp > 100 / 40 and answer.row(VISITED) is None and answer.row(DOSE) is None
    assert "beyond 100 points" in dict(answer.card)["Being visited"]
    for few in (6, 8):  # the plain set of the first is all but a stretch, of the second it ends beyond 100
        visited[:few:2, 1] = 1
        answer = lottery_answer(_by_hand(visited=visited, visits=visited), "own", None, "", 1)
        row = answer.row(VISITED)
        assert 25 < row.ci_low_pp < row.estimate_pp < row.ci_high_pp == 100
        assert f"{row.ci_low_pp:.2f} to 100.00" in dict(answer.card)["Being visited"]


@pytest.mark.parametrize("seed", range(6))
def test_with_few_units_the_offer_and_being_visited_say_the_same_of_zero(seed):
    rng, start = np.random.default_rng(seed), np.tile([1, 2], 4)
    visited = np.stack([np.zeros(8), np.where(start == 1, rng.uniform(0.2, 0.4, 8), 0)], axis=1)
    before = rng.normal(85, 3, 8)
    outcome = np.stack([before, before + 6 * visited[:, 1] + rng.normal(0, 0.9, 8)], axis=1)
    few = _by_hand(outcome=outcome, visited=visited, visits=visited, start=start, strata=np.zeros(8, dtype=int))
    answer = lottery_answer(dataclasses.replace(few, level="school", students=np.full(8, 150)), "own", None, "", 1)
    offer, row = answer.offer, answer.row(VISITED)
    ends = (offer.ci_low_pp, offer.ci_high_pp), (row.ci_low_pp, row.ci_high_pp)
    assert len({low is None or low <= 0 <= high for low, high in ends}) == 1


@pytest.mark.parametrize(("level", "words"), [("student", "about 40 offered"), ("school", "schools; 40 offered")])
def test_numbers_of_students_are_rounded_and_those_of_schools_are_not(level, words):
    answer = lottery_answer(_by_hand(level=level, students=np.full(80, 7)), "own", None, "", 1)
    assert words in dict(answer.card)["Units drawn"]
    assert "560 students" in next(item.reason for item in answer.essa.conditions if "sample" in item.name)


def test_few_students_are_refused():
    outcome = np.where(np.arange(80)[:, None] < 42, np.nan, _by_hand().outcome)
    with pytest.raises(BadInput, match="Fewer than 20 students"):
        lottery_answer(_by_hand(outcome=outcome), "own", None, "", 1)
    with pytest.raises(BadInput, match="No stratum of the draw has two units of each start"):
        lottery_answer(_by_hand(strata=np.arange(80), students=np.full(80, 300)), "own", None, "", 1)


def _workspace(folder, **visits):
    """Return a workspace of a small SIMULATED state that drew lots; its simulation is yet to be made."""
    root, real = folder / "workspace", paths.root()
    for name in ("data/raw", "params"):
        shutil.copytree(real / name, root / name)
    shutil.copy(real / "requirements.lock", root)
    change_yaml(root / "params" / "simulation.yml", districts=DISTRICTS, visits__offer=OFFER_PART, **visits)
    draw = root / "data" / "derived" / "simulated" / "students.draw.csv"
    change_yaml(
        root / "params" / "students.yml", draw=str(draw), rollout={"starts": STARTS, "outcomes_from": OUTCOMES_FROM}
    )
    return root


@pytest.fixture(scope="module")
def drawn_workspace(tmp_path_factory):
    """Make a small SIMULATED state that drew lots the workspace, for this module."""
    root = _workspace(tmp_path_factory.mktemp("lottery"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAPSTUDY_ROOT", str(root))
        default_simulation()
        yield root


@pytest.mark.slow
def test_a_draw_that_nobody_took_up_is_answered_by_its_offer(lean, tmp_path, monkeypatch):
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(_workspace(tmp_path, visits__completed=1e-9)))
    default_simulation()
    study = study_students("all-districts")
    offer = study.answer.leading
    assert offer.estimator == OFFER and offer.ci_low_pp < 0 < offer.ci_high_pp and "0 visited" in study.sizes
    assert not [row for row in study.answer.estimates if row.estimator in (VISITED, DOSE)]
    for figure in FIGURES:
        figure(study)
    told = [str(sentence(study)) for sentence in SENTENCES]
    assert not [text for text in told if HOLE.search(text)] and NOBODY in findings_students.lottery(study)
    study.save(str(tmp_path / "result.json"))
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert len(checklist(result)) > 10
    # the sentence follows a promise and a range: it names whom it is about, a pronoun would point at those
    none = {
        "en": "students, or none, were visited because of the offer that the effect of a visit cannot be given",
        "es": "Por la oferta recibieron visita tan pocos estudiantes, o ninguno, que el efecto de una visita no puede",
    }
    for lang, words in none.items():
        page = {section.key: section.text for section in plain_page(read_result(result), lang).sections}
        assert words in page["answer"]


@pytest.mark.slow
def test_a_study_of_a_draw_leads_with_it_and_is_closed_before_its_day(lean, drawn_workspace, tmp_path):
    settings = load_settings()
    early = settings.model_copy(
        update={"rollout": settings.rollout.model_copy(update={"outcomes_from": date(2999, 1, 1)})}
    )
    with pytest.raises(BadInput, match="Outcomes by arm are closed until 2999-01-01"):
        stored_state(early)
    study = study_students("all-districts")
    first, *others = study.answer.estimates
    assert first.estimator == OFFER and first.role == "main"
    assert [row.role for row in others if row.role == "main"] == []
    assert first.n_treated % 5 == 0 and first.p_floor == 1 / 2000
    told = findings_students.answer(study)
    assert "No plan frozen before the lots is on record." in told and "beforehand" not in told
    assert dict(study.draw.data.to_numpy())["Lots"].startswith("not on record")
    assert {"Attrition", "Leavers", "a well-run experiment"} <= set(study.draw.data["what"])
    study.save(str(tmp_path / "result.json"))
    reading = read_result(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")))
    points = {point.title: point for point in checklist(json.loads((tmp_path / "result.json").read_text("utf-8")))}
    own = study.answer.design().main
    told = points["Inference that fits the design"].answer
    assert told.startswith(f"The draw dealt anew within its strata: {probability(first.p_value)}, 95% CI")
    assert f"clustered by student: {probability(own.p_value)}, 95% CI {number(own.ci_low_pp)} to" in told
    assert points["What could have been seen"].table is None
    measured = replace(reading, post="2021-09 to 2022-01")  # a plan measures until before the files end
    for lang in LANGUAGES:
        page = {section.key: section.text for section in plain_page(reading, lang).sections}
        assert catalog(lang)["promised_none"] in page["answer"], "the default choices of a rollout are no promise"
        for on_record, words in ((False, catalog(lang)["promised_told"][:30]), (True, catalog(lang)["promised"][:12])):
            kept = replace(reading, draw=replace(reading.draw, promised="Do visits help?", on_record=on_record))
            answer = next(section.text for section in plain_page(kept, lang).sections if section.key == "answer")
            assert words in answer and "2022-07-01" in answer and re.search("[“«]Do visits help[?][”»]", answer)
        assert "LEAP" not in page["question"]
        assert len(plain_page(reading, lang).text.split()) <= 350
        assert re.search(r"2020-09 (to|a) 2022-01$", plain_chart(measured, lang).caption.years)
        late = replace(
            reading, draw=replace(reading.draw, late=True, on_record=True, promised="Do visits help?"), tier=""
        )
        page = {section.key: section.text for section in plain_page(late, lang).sections}
        told = " ".join(page.values())
        assert page["sure"].startswith(catalog(lang)["sure_late"]) and "Do visits help" not in told
        assert page["question"].startswith(catalog(lang)["question_late"].partition(" {visits}")[0][:30])
        assert len(plain_page(late, lang).text.split()) <= 350
    assert page and reading.tier == "1"


def test_a_draw_of_this_workspace_is_not_told_twice(tmp_path):
    path = tmp_path / "draw_1.csv"
    pd.DataFrame(
        {"unit": ["a", "b", "c"], "stratum": "s", "rank": [1, 2, 3], "phase": ["2022-09", "2023-01", WAITING]}
    ).to_csv(path, index=False)
    assert read_lottery(path, "school", {}).starts == {"2022-09": "2022-09", "2023-01": "2023-01"}
    plan = load_rollout()
    assert promised(Rollout()) == (date.fromisoformat(plan.analysis_from), plan.question)
    own = Rollout(outcomes_from=OUTCOMES_FROM, promised="grades in spring")
    assert promised(own) == (OUTCOMES_FROM, "grades in spring")

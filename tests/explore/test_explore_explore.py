"""The explorer: every choice shows what the batch would answer, at once,
and nothing is written before it is asked for.
"""

import pytest
from layout import overlaps

from leapstudy.batch.choices import TOOLS, Tools
from leapstudy.core.live import WIDGET, Live
from leapstudy.core.names import ALL_SLUG
from leapstudy.data.state import load_state
from leapstudy.did.answering import answer_district
from leapstudy.did.contrasts import contrasts_of
from leapstudy.did.design import Spec
from leapstudy.explore.explorer import Explorer, Walk, Words, candidates, curve_of

HARTFORD = "0640011"


@pytest.fixture
def explorer(study):
    return Explorer(study, "hartford", Spec(), TOOLS)


def test_a_choice_shows_what_the_batch_answers(explorer, study):
    explorer.fields["comparison"].value = "others"
    explorer.fields["contrast"].value = "2020_21_to_2021_22"
    spec = Spec(comparison="others", contrast="2020_21_to_2021_22")
    whole = answer_district(study, HARTFORD, spec).main
    assert explorer.spec == spec
    assert (
        f"{whole.estimate_pp:.2f} percentage points more than in {whole.n_comparison} comparison districts"
        in explorer.sentence.content.text
    )
    assert (
        explorer.command.content.text
        == "leapstudy run hartford --set comparison=others --set contrast=2020_21_to_2021_22"
    )


def test_every_choice_reaches_the_question(explorer):
    chosen = {
        "district": "danbury",
        "outcome": "attendance_rate_high_needs",
        "comparison": "drg_gh",
        "contrast": "2019_20_to_2021_22",
        "weights": "students",
        "scale": "logodds",
    }
    for name, value in chosen.items():
        explorer.fields[name].value = value
    asked = {name: value for name, value in chosen.items() if name != "district"}
    assert (explorer.district, explorer.spec) == ("danbury", Spec(**asked))
    assert explorer.sentence.content.text.startswith("Danbury: attendance of students with high needs")
    explorer.fields["district"].value = ALL_SLUG
    assert explorer.sentence.content.text.startswith("7 LEAP districts")


def test_a_list_is_picked_from_the_table(explorer, study):
    table = explorer.fields["table"]
    assert table.disabled
    explorer.fields["comparison"].value = "picked"
    assert not table.disabled and "Mark at least two districts" in explorer.sentence.content.text
    table.value = ("0020011", "0110011", "0170011")
    assert "3 districts chosen by hand" in explorer.sentence.content.text
    assert explorer.command.content.text == "leapstudy run hartford --set comparison=0020011,0110011,0170011"
    codes = {code for _, code in candidates(study)}
    assert len(codes) == 185 and HARTFORD not in codes


def test_what_cannot_be_asked_is_said_and_the_next_choice_works(explorer):
    explorer.fields["district"].value = "crec"
    explorer.fields["comparison"].value = "drg_gh"
    assert "holds no peer for it" in explorer.sentence.content.text
    assert explorer.moves.content == Words("Nothing to show for this choice.")
    explorer.fields["comparison"].value = "alliance"
    assert explorer.sentence.content.text.startswith("CREC: attendance")


def test_the_button_gives_the_choice_and_its_reason_and_shows_what_was_said(study):
    asked = []
    tools = Tools(lambda slug, spec: slug, lambda slug, spec, reason: asked.append((slug, spec, reason)) or "Saved.")
    explorer = Explorer(study, "hartford", Spec(), tools)
    explorer.fields["weights"].value = "students"
    reason, button, said = explorer.saving.widget.children
    assert asked == []
    reason.value = "larger districts count more here"
    button.click()
    assert (
        asked == [("hartford", Spec(weights="students"), "larger districts count more here")] and said.value == "Saved."
    )


def test_without_widgets_it_reads_as_it_stands(study):
    quiet = Explorer(study, "hartford", Spec(), TOOLS, live=False)
    assert quiet.fields == {} and quiet.walk.slider is None
    for place in (quiet.controls, quiet.saving, quiet.walk.controls):
        assert set(place._repr_mimebundle_()) == {"text/plain", "text/html"}
    table = quiet.controls._repr_mimebundle_()["text/html"]
    assert "Hartford" in table and '<th scope="col"' in table and "Alliance districts without LEAP" in table


def test_with_widgets_the_words_stay_as_a_fallback(explorer):
    bundle = explorer.controls._repr_mimebundle_()
    assert WIDGET in bundle and "below stands what these choices show" in bundle["text/plain"]


def test_a_place_changes_only_where_it_is_shown(monkeypatch):
    seen = []

    class Handle:
        def update(self, content):
            seen.append(content)

    monkeypatch.setattr("IPython.display.display", lambda content, display_id: Handle())
    place = Live(Words("one"))
    place.put(Words("two"))
    assert seen == []
    place._ipython_display_()
    place.put(Words("three"))
    assert seen == [Words("three")] and place.content == Words("three")


@pytest.mark.parametrize("district", ["hartford", ALL_SLUG])
def test_every_choice_of_years_is_drawn_beside_the_one_on_record(study, district):
    explorer = Explorer(study, district, Spec(), TOOLS, live=False)
    for contrast in contrasts_of(load_state(), "2021-22"):
        explorer.ask(district, Spec(contrast=contrast))
        rows = explorer.effect.content.data.set_index("Choice")["Estimate"]
        assert rows["on record"] == explorer.look(district, Spec()).answer.main.estimate_pp
        assert rows["this choice"] == explorer.look(district, Spec(contrast=contrast)).answer.main.estimate_pp
        for exhibit in (explorer.effect.content, explorer.moves.content):
            assert overlaps(exhibit.figure) == [], contrast


def test_the_curve_holds_the_batchs_own_estimates(study):
    curve = curve_of(study, "hartford", "Hartford", Spec())
    assert curve.frame["estimate_pp"].is_monotonic_increasing and curve.frame["is_main"].sum() == 1
    assert curve.specs[curve.start] == Spec()
    plain = curve.frame.index[curve.frame["covariates"] == "without"]
    for place in plain[[0, len(plain) // 2, -1]]:
        main = answer_district(study, HARTFORD, curve.specs[place]).main
        row = curve.frame.iloc[place]
        assert row["estimate_pp"] == main.estimate_pp
        assert row["low_pp"] == main.ci_low_pp and row["high_pp"] == main.ci_high_pp


def test_a_placebo_is_no_point_of_the_curve_and_the_walk_starts_at_its_first(study):
    walk = Walk(study, "hartford", "Hartford", Spec(contrast="placebo_2019_20_to_2020_21"))
    assert walk.curve.start == 0 and walk.sentence.content.text.startswith("Point 1 of")


def test_walking_along_the_curve_says_the_point_and_rings_it(explorer, study):
    walk = explorer.walk
    place = next(place for place, spec in enumerate(walk.curve.specs) if spec.edition == "2021-22")
    before = walk.picture.content.png
    walk.slider.index = place
    assert walk.sentence.content.text.startswith(f"Point {place + 1} of {len(walk.curve.specs)}: ")
    assert walk.picture.content.png != before and overlaps(walk.picture.content.figure) == []


def test_the_curve_follows_the_district_and_keeps_its_points_for_another_weighting(explorer):
    walk = explorer.walk
    specs = walk.curve.specs
    explorer.fields["weights"].value = "students"
    assert walk.curve.specs is specs and specs[walk.slider.index].weights == "students"
    assert walk.curve.frame["is_main"].to_numpy().argmax() == walk.slider.index
    explorer.fields["district"].value = "danbury"
    assert walk.curve.title == "Danbury" and len(walk.slider.options) == len(walk.curve.specs)

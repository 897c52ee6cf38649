"""From the explorer to the batch: the command asks the same, the saved file is read back, the banner tells why."""

import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from leapstudy.batch.choices import UNSEEN, banner, command, freshness_words, last_batch, save
from leapstudy.batch.params import parse_settings, resolve, typed_settings
from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_SLUG
from leapstudy.did.design import Spec

REASON = "all districts without LEAP are what the board knows"


def test_the_command_asks_the_same_question(workspace):
    spec = Spec(comparison=("0020011", "0110011"), weights="students", seed=7)
    words = shlex.split(command("hartford", spec))
    assert words[:3] == ["leapstudy", "run", "hartford"]
    settings = [word for word in words if "=" in word]
    assert (
        resolve("hartford", typed_settings(parse_settings(settings), resolve("hartford", {}).model_dump())).spec()
        == spec
    )


def test_what_the_districts_notebook_does_not_read_is_neither_asked_nor_saved(workspace):
    assert command("hartford", Spec(prior="published")) == "leapstudy run hartford"
    assert save("hartford", Spec(prior="published"), REASON).startswith("Nothing was saved")


def test_the_command_says_only_what_the_parameters_do_not(workspace):
    assert command("hartford", Spec()) == "leapstudy run hartford"
    assert command(ALL_SLUG, Spec(weights="students")) == "leapstudy run --set weights=students"
    save("hartford", Spec(comparison="others"), REASON)
    assert command("hartford", Spec(comparison="others")) == "leapstudy run hartford"
    assert command("hartford", Spec()) == "leapstudy run hartford --set comparison=alliance"


def test_a_saved_choice_is_what_the_next_batch_asks(workspace):
    said = save("hartford", Spec(comparison=("0020011", "0110011"), scale="logodds"), REASON)
    path = workspace / "params" / "districts" / "hartford.yml"
    assert "params/districts/hartford.yml" in said and "comparison, scale" in said
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content == {
        "comparison": {"value": "0020011,0110011", "reason": REASON},
        "scale": {"value": "logodds", "reason": REASON},
    }
    assert resolve("hartford", {}).spec() == Spec(comparison=("0020011", "0110011"), scale="logodds")
    assert save("hartford", Spec(), REASON).endswith(
        "nothing differs any more. Now `leapstudy run hartford` asks this."
    )
    assert resolve("hartford", {}).spec() == Spec()


def test_a_choice_is_saved_from_what_the_studys_own_notebook_reads(workspace):
    """Also a parameter that the notebook reads and params/study.yml leaves at what it usually is (`nested`)."""
    shutil.rmtree(workspace / "notebooks")
    shutil.copytree(Path(__file__).parents[2] / "notebooks", workspace / "notebooks")
    assert "comparison" in save("hartford", Spec(comparison="others"), REASON)
    assert resolve("hartford", {}).spec() == Spec(comparison="others")
    assert command("hartford", Spec(nested="stratum", comparison="others")).endswith("--set nested=stratum")


def test_without_a_reason_or_a_difference_nothing_is_written(workspace):
    before = sorted((workspace / "params").rglob("*"))
    with pytest.raises(BadInput, match="give the reason first"):
        save("hartford", Spec(comparison="others"), "  ")
    assert save("hartford", Spec(), REASON).startswith("Nothing was saved")
    assert sorted((workspace / "params").rglob("*")) == before


def test_freshness_in_words():
    assert "fresh" in freshness_words({"hartford": [], "danbury": []}) and "all 2 runs" in freshness_words(
        {"a": [], "b": []}
    )
    assert freshness_words({"a": ["never run"], "b": ["never run"]}).startswith("There is no batch yet")
    text = freshness_words(
        {"a": ["the package's sources changed"], "b": ["the package's sources changed", "params: seed 1 -> 2"]}
    )
    assert "the package's sources changed (all 2 runs)" in text and "params: seed 1 -> 2 (b)" in text
    assert "`leapstudy run`" in text


def test_the_banner_speaks_only_where_somebody_reads_it_now(workspace, study):
    assert last_batch(study).startswith("There is no batch yet")
    still = banner(study, live=False)._repr_mimebundle_()
    assert still["text/plain"] == UNSEEN and still["text/html"].endswith("or type <code>leapstudy status</code>.</p>")
    assert "There is no batch yet" in banner(study).widget.value


def test_the_banner_says_why_no_batch_can_be_run(workspace, study):
    (workspace / "params" / "districts" / "hartford.yml").write_text("color: {value: red, reason: x}", encoding="utf-8")
    assert last_batch(study).startswith("No batch can be run as things stand. Unknown parameter in hartford.yml")

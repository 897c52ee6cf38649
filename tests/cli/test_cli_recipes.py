"""The recipes of CONTRIBUTING.md, by the command line and without Python."""

import json

import pandas as pd
import pytest
from own_files import workspace_at

from leapstudy.study.public import study_district

pytestmark = pytest.mark.slow

GROUP = """  large:
    where: { students_2019_20: { at_least: 4000 } }
    words:
      { long: districts of 4000 students or more, short: large, plain: { en: large districts, es: distritos grandes } }
    why: Large districts have offices alike.
"""


def test_a_group_of_ones_own_and_another_start_reach_the_pages_once_a_choice_is_on_record(tmp_path, monkeypatch):
    root = tmp_path / "workspace"
    command = workspace_at(root)
    refused = command("choose", "neighbours", "--reason", "a test")
    assert refused.returncode == 2 and "alliance" in refused.stderr
    state = root / "params" / "state.yml"
    state.write_text(
        state.read_text(encoding="utf-8").replace("contrasts:", f"{GROUP}\ncontrasts:", 1), encoding="utf-8"
    )
    starts = root / "data" / "raw" / "leap_facts" / "units.csv"
    starts.write_text(f"{starts.read_text(encoding='utf-8')}0020011,2022-23,,INVENTED for a test\n", encoding="utf-8")
    assert command("data", "pin", "leap_facts/units.csv").returncode == 0
    assert "leapstudy choose" in command("check").stderr
    assert command("choose", "others", "--reason", "another start").returncode == 0
    record = json.loads((root / "params" / "comparison.json").read_text(encoding="utf-8"))
    assert (record["chosen"], record["reason"]) == ("others", "another start")
    done = command("run", "ansonia", "--set", "comparison=large", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    estimates = pd.read_csv(root / "reports" / "estimates.csv")
    (main,) = estimates[(estimates["role"] == "main") & (estimates["comparison"] == "large")].to_dict("records")
    monkeypatch.setenv("LEAPSTUDY_ROOT", str(root))
    own = study_district("ansonia", comparison="large").answer.main
    assert (main["estimate_pp"], main["n_comparison"]) == (pytest.approx(own.estimate_pp, abs=1e-6), own.n_comparison)
    page = (root / "reports" / "ansonia" / "plain.html").read_text(encoding="utf-8")
    assert "large districts" in page and "Ansonia" in page
    result = json.loads((root / "reports" / "ansonia" / "result.json").read_text(encoding="utf-8"))
    assert result["blocks"]["evidence"]["cost"] is None, "no grant of this district is published"
    (root / "params" / "comparison.json").write_text(json.dumps({**record, "chosen": "alliance"}), encoding="utf-8")
    changed = command("check")
    assert changed.returncode == 2 and "leapstudy choose" in changed.stderr

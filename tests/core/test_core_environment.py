"""The three places that name versions must name the same ones."""

import re
import subprocess
import sys
import tomllib

import yaml

import leapstudy
from leapstudy.core import paths
from leapstudy.core.environment import environment_yml, pins


def _text(name: str) -> str:
    return (paths.root() / name).read_text(encoding="utf-8")


def _name(requirement: str) -> str:
    return re.split(r"[\s=<>~!\[;]", requirement)[0].lower().replace("_", "-")


def test_environment_yml_is_what_the_lock_file_makes():
    assert _text("environment.yml") == environment_yml(_text("requirements.lock"))


def test_environment_yml_has_the_shape_that_conda_reads():
    parsed = yaml.safe_load(_text("environment.yml"))
    pip = next(item["pip"] for item in parsed["dependencies"] if isinstance(item, dict))
    assert parsed["name"] == "leapstudy" and pip[-1] == "-e ." and len(pip) > 50


def test_every_dependency_of_the_project_is_locked():
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    run = {_name(pin) for pin in pins(_text("requirements.lock"))}
    test = {_name(pin) for pin in pins(_text("requirements-test.lock"))}
    assert {_name(item) for item in project["dependencies"]} <= run
    assert {_name(item) for extra in project["optional-dependencies"].values() for item in extra} <= test


def test_the_test_lock_pins_what_people_run():
    run, test = set(pins(_text("requirements.lock"))), set(pins(_text("requirements-test.lock")))
    loose = {pin.split(";")[0].strip() for pin in run} - {pin.split(";")[0].strip() for pin in test}
    assert not loose


def test_lock_files_carry_hashes_and_no_index_address():
    for name in ("requirements.lock", "requirements-test.lock"):
        text = _text(name)
        assert text.count("--hash=sha256:") > len(pins(text))
        assert "://" not in text and "index-url" not in text


def test_a_script_above_the_clone_finds_the_package_and_not_the_folder(tmp_path):
    (tmp_path / "leapstudy").mkdir()
    (tmp_path / "script.py").write_text("import leapstudy\nprint(leapstudy.__version__)\n")
    told = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == leapstudy.__version__, told.stderr

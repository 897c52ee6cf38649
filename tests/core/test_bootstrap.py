"""Setting up: both halves of a lock file hold all of it, and a pip that fails is heard."""

import re
import subprocess
import sys

import pytest

from leapstudy.bootstrap import RUN_LOCK, TEST_LOCK, halves, run_told


@pytest.mark.parametrize("lock", [RUN_LOCK, TEST_LOCK], ids=lambda lock: lock.name)
def test_each_package_stands_in_one_half_with_its_hashes(lock, tmp_path):
    found = [part.read_text(encoding="utf-8") for part in halves(lock, tmp_path)]
    whole = lock.read_text(encoding="utf-8")
    lines = [line for line in whole.splitlines() if not line.startswith("#")]
    assert sorted("".join(found).splitlines()) == sorted(line for line in lines if line.strip())
    assert all(re.match(r"[\w.-]+==", part) and "--hash=" in part for part in found)


def test_a_pip_that_fails_is_heard_whatever_the_other_says(capfd):
    well = [sys.executable, "-c", "[print('Collecting', k) for k in range(60)]"]
    badly = [sys.executable, "-c", "import sys; print('no such version'); sys.exit(3)"]
    run_told([well, well])
    assert capfd.readouterr().out.count("packages fetched") == 6
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_told([badly, well])
    assert failed.value.returncode == 3 and "no such version" in capfd.readouterr().out

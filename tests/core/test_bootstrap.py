"""Setting up: both halves of a lock file hold all of it, and a pip that fails is heard."""

import os
import re
import signal
import subprocess
import sys

import pytest

from leapstudy.bootstrap import PYTHON, RUN_LOCK, TEST_LOCK, halves, run_told


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


# A command that needs longer for its last words than `subprocess.run` waits before it kills.
COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    print("begun", flush=True)
    time.sleep(50)
except KeyboardInterrupt:
    time.sleep(1)
    print("said what it left", flush=True)
    sys.exit(130)
"""
BOOTSTRAP = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from leapstudy import bootstrap
sys.exit(bootstrap.run_all([["-c", {COMMAND!r}], ["-c", "print('went on')"]], [], {{}}))
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.skipif(not PYTHON.exists(), reason="runs the workspace's own Python")
@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_command_says_its_last_words_and_nothing_follows(to_all):
    """Ctrl-C reaches everything in the terminal; SIGTERM the one process, which passes it on."""
    command = [sys.executable, "-c", BOOTSTRAP]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    said, wrong = process.communicate(timeout=30)
    assert (said, wrong, process.returncode) == ("said what it left\n", "", 130)

"""What a batch imports before its first kernel, and what it leaves out."""

import subprocess
import sys

SOURCE = """
import sys
import leapstudy.batch.execute
import jsonschema, nbformat
from nbformat.v4 import new_code_cell, new_notebook
assert not [name for name, module in sys.modules.items() if name.startswith("rfc3987_syntax") and module]
nbformat.validate(new_notebook(cells=[new_code_cell("1")]))
try:
    nbformat.validate({"cells": [{"cell_type": "none"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
except nbformat.ValidationError:
    print("refused")
"""


def test_a_batch_does_not_compile_the_grammar_of_addresses_and_still_checks_notebooks():
    done = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("refused\n", 0), done.stderr

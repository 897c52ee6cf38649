"""One district by the papermill command, with a cold kernel, as a shell loop would: ``command.py SLUG OUT``."""

import os
import sys
from pathlib import Path

from papermill.cli import papermill

slug, out = sys.argv[1], Path(sys.argv[2])
notebook = Path(os.environ["LEAPSTUDY_ROOT"]) / "notebooks" / "10_district.ipynb"
papermill(
    [str(notebook), str(out / f"command-{slug}.ipynb"), "-k", "python3", "-p", "district", slug, "--no-progress-bar"]
)

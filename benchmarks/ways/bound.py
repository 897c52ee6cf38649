"""What cannot be beaten: import once, fork two workers, run the same cells and draw their pictures, with no notebook.

Usage: ``bound.py SLUG,SLUG``.
"""

import gc
import importlib
import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from matplotlib_inline.backend_inline import configure_inline_support

from leapstudy.batch.job import read_cells
from leapstudy.batch.kernels import shipped_preload
from leapstudy.core.cache import collect_rarely
from leapstudy.core.names import FOR_PAGES

NOTEBOOK = Path(os.environ["LEAPSTUDY_ROOT"]) / "notebooks" / "10_district.ipynb"


def run(slugs: list[str]) -> None:
    """Run the cells for each district in a fresh namespace, and format what each shows."""
    shell = InteractiveShell.instance()
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    codes = [cell.source for cell in read_cells(NOTEBOOK) if cell.kind == "code"]
    for slug in slugs:
        shell.reset(new_session=False)
        for place, code in enumerate(codes):
            source = f"{code}\ndistrict = {json.dumps(slug)}" if place == 0 else code
            # not `silent`: only what is displayed is formatted, and formatting is what draws a picture
            with redirect_stdout(io.StringIO()):
                done = shell.run_cell(source, store_history=False)
            done.raise_error()


if __name__ == "__main__":
    os.environ[FOR_PAGES] = "1"  # the pictures that a batch draws
    gc.disable()
    for name in (*shipped_preload(), "leapstudy.study.public", "leapstudy.words.findings"):
        importlib.import_module(name.partition(":")[0])
    collect_rarely()
    sys.modules["pandas"].set_option("mode.string_storage", "python")  # as in the warm kernels
    gc.collect()
    gc.freeze()  # as the template of the warm kernels: what is imported is looked through in no child
    gc.enable()
    every = sys.argv[1].split(",")
    workers = []
    for part in (every[0::2], every[1::2]):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run(part)
                code = 0
            finally:
                os._exit(code)
        workers.append(pid)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers))

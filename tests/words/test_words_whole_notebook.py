"""The district notebook as it stands, cell by cell, under choices at the edge of what is legal: nothing stops it."""

import ast
import io
import re

import matplotlib.pyplot as plt
import pytest
from IPython.core.formatters import DisplayFormatter

from leapstudy.batch.job import read_cells
from leapstudy.core import paths
from leapstudy.evidence.power import PART_ASSUMPTION
from leapstudy.site.build import appendix_html, plain_html, report_html
from leapstudy.study.result import load_result

TWO, THREE = "0020011,0110011", "0370011,0440011,0470011"
EDGES = [
    ("east-hartford", {"comparison": "drg_gh", "contrast": "placebo_2019_20_to_2020_21", "weights": "students"}),
    ("new-britain", {"comparison": TWO, "outcome": "attendance_rate_high_needs", "weights": "students"}),
    ("norwich", {"comparison": THREE, "contrast": "2019_20_to_2021_22", "edition": "2021-22", "scale": "logodds"}),
]
UNSAID = re.compile(r"(?<![\w.])(nan|None|inf|NaT)(?!\w)|−0\.00?(?!\d)|Traceback")
PICTURES = re.compile(r"<(script|style|svg)\b.*?</\1>|base64,[A-Za-z0-9+/=]+|<[^>]+>", re.DOTALL)


def _shown(source, names, show):
    """Run a cell and return what its last expression shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO(), format="png", dpi=20)
    plt.close("all")
    bundle = {} if value is None else show.format(value)[0]
    return bundle.get("text/html") or bundle.get("text/plain", "")


@pytest.mark.slow
@pytest.mark.parametrize(("district", "asked"), EDGES, ids=[district for district, _ in EDGES])
def test_every_cell_and_page_works_at_the_edges(district, asked, tmp_path, capsys):
    cells = [cell for cell in read_cells(paths.notebooks() / "10_district.ipynb") if cell.kind == "code"]
    given = {"district": district, **asked, "result_path": str(tmp_path / "result.json")}
    names, show = {}, DisplayFormatter()
    said = [_shown(cells[0].source, names, show)]
    names |= given
    said += [_shown(cell.source, names, show) for cell in cells[1:]]
    result = load_result(tmp_path / "result.json")
    said += [plain_html(result, lang, "2026-01-01", {}, {}) for lang in ("en", "es")]
    said += [appendix_html(result, "2026-01-01", {}, {}), report_html(result, "2026-01-01")]
    for text in (*said, capsys.readouterr().out):
        plain = PICTURES.sub(" ", text)
        assert not UNSAID.search(plain), UNSAID.sub(r">>>\g<0><<<", plain)
    of_part = asked.get("outcome") == "attendance_rate_high_needs"  # the share visited is known of all students only
    assert any(PART_ASSUMPTION.strip() in text for text in said) == of_part
    assert any("nobody published how many of these were" in text for text in said) == of_part

"""A cell's output cannot make a page act: no code, no frame, no address that runs, nothing loaded from outside."""

from html import escape

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from leapstudy.site.notebook import FORBIDDEN, may_act, notebook_body, sanitize
from leapstudy.site.render import environment

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><set attributeName=onmouseover to=alert(1)>",
    "<svg><foreignObject><iframe src=x></iframe></foreignObject></svg>",
    "<iframe srcdoc='&lt;script&gt;alert(1)&lt;/script&gt;'></iframe>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href=' &#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a ping='https://evil.example/' href='#a'>x</a>",
    "<img src='https://evil.example/pixel.png'>",
    "<img src='//evil.example/pixel.png'>",
    "<img src='data:image/svg+xml;base64,PHN2Zy8+'>",
    "<link rel=stylesheet href='https://evil.example/a.css'>",
    "<style>@import 'https://evil.example/a.css'</style>",
    "<p style=\"background:url('https://evil.example/p.png')\">x</p>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<object data='x.swf'></object><embed src='x.swf'>",
    "<form action='https://evil.example/'><button formaction='javascript:alert(1)'>x</button></form>",
    "<math><a xlink:href='javascript:alert(1)'>x</a></math>",
    "<video poster='https://evil.example/p.png'><source src=x onerror=alert(1)></video>",
]


def _acts(html):
    tree = BeautifulSoup(html, "lxml")
    names = [tag.name for tag in tree.find_all(lambda tag: tag.name.lower() in FORBIDDEN)]
    handlers = [name for tag in tree.find_all(True) for name in tag.attrs if name.lower().startswith("on")]
    text = html.lower()
    words = [word for word in ("script:", "evil.example", "data:text", "svg+xml", "position:fixed") if word in text]
    return [*names, *handlers, *words]


@pytest.mark.parametrize("html", HOSTILE)
def test_whatever_a_cell_shows_is_harmless_on_its_page(tmp_path, html):
    shown = new_output("display_data", data={"text/html": html})
    framed = new_output("display_data", data={"text/html": f'<figure class="exhibit">{html}<p>kept</p></figure>'})
    cells = [new_markdown_cell(f"# Title\n\n{html}"), new_code_cell("1", outputs=[shown, framed])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "x.ipynb")
    page = notebook_body(tmp_path / "x.ipynb", tmp_path, "../", {})
    assert _acts(page) == [] and "kept" in page and "Title" in page
    assert may_act(html) or not _acts(html.replace("https://", "")), "an exhibit is looked at where it could act"
    assert may_act(html.upper()) == may_act(html)


def test_an_apostrophe_of_an_exhibit_is_nothing_that_acts():
    assert not may_act(escape("<the districts' change>")) and may_act("<p style='width: expression&#x28;1)'>x</p>")


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://data.ct.gov/x?a=b:c">source</a>',
        '<a href="../hartford/notebook.html#top">next</a>',
        '<img alt="a" src="data:image/png;base64,iVBORw0KGgo="/>',
        '<svg role="img" viewBox="0 0 1 1"><title>t</title>'
        '<path d="M0 0" style="fill: #123456; stroke-width: 2"/></svg>',
    ],
)
def test_what_a_page_needs_stays(html):
    tree = BeautifulSoup(html, "lxml")
    before = tree.body.decode_contents()
    sanitize(tree)
    assert tree.body.decode_contents() == before


def test_every_page_forbids_scripts_that_are_not_its_own():
    base = environment().loader.get_source(environment(), "base.html.j2")[0]
    policy = base.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert "script-src 'self'" in policy and "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert base.index("Content-Security-Policy") < base.index("<link")

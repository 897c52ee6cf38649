"""An exhibit can be read by everyone, everywhere, and gives the same bytes each time."""

import base64
import re
from xml.etree import ElementTree

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.backends.backend_svg import RendererSVG

from leapstudy.core.names import FOR_PAGES, PAGE
from leapstudy.core.table import cell_text, table_html
from leapstudy.figures import exhibit as pictures
from leapstudy.figures import frame, palette
from leapstudy.figures.exhibit import ALT_LONGEST, Caption, Exhibit, alt_text

CAPTION = Caption("Two points", "made up", "two districts", "2019-20", "2")
ALT = "The second district lies one point above the first one."


def exhibit(alt=ALT, title="Two points", data=None):
    with frame.styled():
        figure, bottom, top = frame.frame(title, "what", "where from", 1.0)
        frame.axes(figure, 1, 6, bottom + 0.3, top).plot([0, 1], [1, 2], color=palette.OWN)
    rows = pd.DataFrame({"District": ["A <b>", "B"], "Rate, %": [91.234, float("nan")]}) if data is None else data
    return Exhibit(figure, title, alt, CAPTION, rows)


def test_the_same_figure_gives_the_same_bytes():
    assert exhibit().png == exhibit().png
    assert pictures.svg(exhibit().figure, "a label") == pictures.svg(exhibit().figure, "a label")


def test_the_notebook_keeps_alt_caption_and_table():
    data, metadata = exhibit()._repr_mimebundle_()
    page = data["text/html"]
    assert metadata["image/png"]["alt"] == ALT
    assert f'alt="{ALT}"' in page
    assert CAPTION.text() in page
    assert '<th scope="col">Rate, %</th>' in page
    assert '<th scope="row">A &lt;b&gt;</th><td>91.23</td>' in page
    assert len(re.findall("<img", page)) == 1


def test_for_pages_a_notebook_keeps_the_pages_own_drawing_with_its_face_and_no_second_picture(monkeypatch):
    monkeypatch.setenv(FOR_PAGES, "1")
    data, _ = exhibit()._repr_mimebundle_()
    address = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"', data["text/html"])
    assert sorted(data) == [PAGE, "text/html", "text/plain"] and address[2] == ALT
    drawing = ElementTree.fromstring(base64.b64decode(address[1]))
    style, *others = drawing
    assert style.text.count("@font-face") == 2 and "Public Sans" in style.text
    words = [text.text for part in others for text in part.iter("{http://www.w3.org/2000/svg}text")]
    assert "Two points" in words, "the type stays text"
    assert exhibit().wide in data[PAGE]


def test_a_drawing_is_measured_as_matplotlib_measures_it(monkeypatch):
    """The renderer remembers measures by the text and its face, for figures of other sizes of type, too."""
    remembered = []
    for size in (8, 19):
        one = exhibit(title="Two points, twice")
        one.figure.text(0.5, 0.5, "0.0", size=size, ha="right", va="top", weight="bold" if size > 9 else "normal")
        remembered.append((one, one.wide))
    monkeypatch.setattr(pictures, "_Measuring", RendererSVG)
    for one, drawing in remembered:
        assert pictures.svg(one.figure, one.alt) == drawing


@pytest.mark.parametrize("alt", ["too short", "x" * (ALT_LONGEST + 1)])
def test_alt_text_has_a_length_that_can_be_heard(alt):
    with pytest.raises(ValueError, match="30 to 300"):
        exhibit(alt=alt)


def test_title_table_and_caption_may_not_be_missing():
    with pytest.raises(ValueError, match="title"):
        exhibit(title=" ")
    with pytest.raises(ValueError, match="numbers as a table"):
        exhibit(data=pd.DataFrame())
    with pytest.raises(ValueError, match="source, n"):
        Caption("what", "", "sample", "years", " ")


def test_alt_text_drops_details_never_the_finding():
    assert alt_text("Finding.", "Detail.") == "Finding. Detail."
    assert alt_text("Finding.", "x" * 300, "Detail.") == "Finding."


def test_the_house_style_leaves_the_callers_settings_alone():
    before = dict(mpl.rcParams)
    exhibit()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("color", [palette.OWN, palette.COMPARISON, palette.INK, palette.WARNING])
def test_type_in_every_color_reads_on_white(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 5


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (float("nan"), "–"), (True, "yes"), (-1.5, "−1.50"), (3, "3")]
)
def test_a_cell_is_written_for_readers(value, text):
    assert cell_text(value) == text


def test_a_table_has_a_caption():
    assert table_html(pd.DataFrame({"a": [1]}), "Words").startswith("<table><caption>Words</caption>")
    assert table_html(pd.DataFrame({"a": []}), "Nothing & why") == "<p>Nothing &amp; why</p>", "no table of no rows"

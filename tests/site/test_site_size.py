"""The site is light: 15 districts in 4 MB, with pictures that are sharp on a fine screen,
and no color of a picture is lost on the way there.
"""

from io import BytesIO

import numpy as np
from PIL import Image, ImageColor

from leapstudy.core import paths
from leapstudy.data import load_study, treated_districts
from leapstudy.figures import frame, palette
from leapstudy.figures.exhibit import _apart, png
from leapstudy.figures.plain import answer_chart
from leapstudy.site.build import build_site
from leapstudy.site.notebook import save_picture
from leapstudy.study.public import study_district

# Bytes of the pages and pictures of all districts; East Hartford's, measured here, are among the larger ones.
LIMIT = 4_000_000


def test_a_district_takes_its_fifteenth_of_four_megabytes(tmp_path):
    folder, count = tmp_path / "east-hartford", len(treated_districts(load_study().districts))
    folder.mkdir()
    study_district("east-hartford").save(str(folder / "result.json"))
    notebook = paths.notebooks() / "10_district.ipynb"  # as it is kept: executed, with every figure, for this district
    run = {"slug": "east-hartford", "title": "East Hartford", "status": "done", "notebook": notebook, "error": None}
    build_site(tmp_path, [run])
    pages = list(folder.glob("*.html"))
    pictures = list((tmp_path / "assets" / "figures").iterdir())
    assert len(pages) == 4 and len(pictures) >= 5
    assert count * sum(path.stat().st_size for path in [*pages, *pictures]) <= LIMIT


def test_fills_and_house_colors_come_through_to_the_last_digit():
    colors = (palette.OWN, palette.TINT, palette.BAND, palette.COMPARISON, palette.CONTEXT, palette.WARNING)
    with frame.styled():
        figure, bottom, top = frame.frame("a title, whose letters have gray edges", "what", "source", 2.0)
        axes = frame.axes(figure, 0.5, 6.5, bottom + 0.4, top)
        axes.axvspan(0.2, 0.5, color="#EFEFEF")
        for place, color in enumerate(colors):
            axes.plot([place / 6], [0.5], marker="o", color=color)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="a label")
    found = Image.open(BytesIO(png(figure))).convert("RGB").getcolors()
    counts = {color: count for count, color in found}
    for name in ("#FFFFFF", "#EFEFEF", *colors, palette.INK):
        assert counts.get(ImageColor.getrgb(name), 0) >= 15, name
    grays = [color for color in counts if max(color) - min(color) == 0 and 110 < color[0] < 190]
    assert grays, "the letters' edges need a gray of their own, or they take a color's tint"
    assert len(counts) <= 14


def test_the_picture_that_a_page_shows_is_the_figure_without_loss(tmp_path, hartford_study):
    shown = answer_chart(hartford_study).png
    kept = Image.open(tmp_path / save_picture(shown, tmp_path)).convert("RGB")
    assert kept.tobytes() == Image.open(BytesIO(shown)).convert("RGB").tobytes()


def test_colors_far_apart_are_those_that_a_look_at_each_in_turn_gives():
    rng = np.random.default_rng(3)
    for least in (12, 60, 200):
        colors = [tuple(color) for color in rng.integers(0, 256, (60, 3)).tolist()]
        near = taken = colors[:3]
        slow = []
        for color in colors:
            if all(max(abs(a - b) for a, b in zip(color, other, strict=True)) >= least for other in near):
                near = [*near, color]
                slow.append(color)
        assert list(_apart(colors, taken, least)) == slow
    assert not list(_apart([], [], 12))

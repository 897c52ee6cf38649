"""What is wrong with a figure as it is drawn: cut, overlapping, too small or in a strange color."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from leapstudy.figures import frame, palette

HOUSE = {*palette.COLORS, "#ffffff"}


def drawn(figure):
    """Return all texts that are drawn: labels of ticks outside the view are not."""
    unseen = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            unseen |= {
                tick.label1 for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9
            }
    return [text for text in figure.findobj(Text) if text.get_visible() and text not in unseen]


def overlaps(figure):
    """Return what is cut or overlaps, and what is too small or in a strange color, of all texts as they are drawn."""
    canvas = FigureCanvasAgg(figure)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # from here on each tick is an object of its own, whose label has a place
    with frame.styled():
        figure.draw_without_rendering()
    page = figure.bbox
    texts = [text for text in drawn(figure) if text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts]
    boxes = [(text, box) for text, box in boxes if box.width > 0]
    faults = [
        f"cut: {text}"
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
    ]
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        upright = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > 1 and upright > 0.25 * min(a.height, b.height):
            faults.append(f"overlap: {one} | {other}")
    faults += [f"small: {text.get_text()}" for text in texts if text.get_fontsize() < palette.SMALL]
    faults += [
        f"color: {text.get_text()}"
        for text in texts
        if to_hex(text.get_color()) not in {name.lower() for name in HOUSE}
    ]
    return faults

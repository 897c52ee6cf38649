"""Axes that draw all their ticks through one object, at a third of what a tick each would cost."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.backend_bases import RendererBase
from matplotlib.ticker import FixedFormatter, FixedLocator

# How far outside a picture, as a share of it, a tick may lie by rounding and still be drawn; matplotlib has the same.
ROUNDING = 1e-10


def set_ticks(axis: Axis, places: Sequence[Any], labels: Sequence[str]) -> None:
    """Set places and labels of ticks; `Axis.set_ticks` would make an object for each."""
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_major_formatter(FixedFormatter(list(labels)))


class _OneTick(Axis):
    """An axis that moves one tick from place to place.

    Of the five artists that matplotlib makes for each tick a picture here shows two, and making them is most of what
    empty axes cost. An axis with a name, or whose ticks somebody has asked for one by one, is drawn as always.
    """

    def set_tick_params(self, which: Any = "major", reset: bool = False, **look: Any) -> None:
        """Set the look of ticks to come, and of those that are there: to look for them is to make them."""
        to_come = {"majorTicks", "minorTicks"} - vars(self).keys()
        vars(self).update({name: [] for name in to_come})
        super().set_tick_params(which, reset, **look)
        for name in to_come:
            delattr(self, name)

    def set_clip_path(self, path: Any, transform: Any = None) -> None:
        """Keep the edge for the axis alone: of ticks only a grid is cut, and it ends there anyway."""
        Artist.set_clip_path(self, path, transform)

    def draw(self, renderer: RendererBase) -> None:
        """Draw the ticks that lie inside the picture."""
        if not self.get_visible() or self.label.get_text() or len(vars(self).get("majorTicks", ())) > 1:
            super().draw(renderer)
            return
        renderer.open_group(Axis.__module__, gid=self.get_gid())
        low, high = sorted(self.get_view_interval())
        reach = ROUNDING * (high - low)
        places = list(self.get_majorticklocs())
        for place, words in zip(places, self.get_major_formatter().format_ticks(places), strict=True):
            if low - reach <= place <= high + reach:
                tick = self.majorTicks[0]
                tick.update_position(place)
                tick.label1.set_text(words)
                tick.draw(renderer)
        renderer.close_group(Axis.__module__)
        self.stale = False


class _AcrossAxis(_OneTick, XAxis): ...


class _UprightAxis(_OneTick, YAxis): ...


class HouseAxes(Axes):
    """Axes with `_OneTick` on both sides, to be given as `axes_class`."""

    def __init__(self, *where: Any, **look: Any) -> None:
        super().__init__(*where, **look)
        rc: Any = mpl.rcParams
        for name in ("x", "y"):  # as of now: ticks are made later, maybe where another style is in force
            color, words = rc[f"{name}tick.color"], rc[f"{name}tick.labelcolor"]
            self.tick_params(
                axis=name,
                color=color,
                labelcolor=color if words == "inherit" else words,
                labelsize=rc[f"{name}tick.labelsize"],
                labelfontfamily=rc["font.family"],
                length=rc[f"{name}tick.major.size"],
            )

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _AcrossAxis(self, clear=False), _UprightAxis(self, clear=False)
        for axis, sides in ((self.xaxis, ("bottom", "top")), (self.yaxis, ("left", "right"))):
            for side in sides:
                self.spines[side].register_axis(axis)

    def draw(self, renderer: RendererBase) -> None:
        """Draw the picture, its edges where they belong: otherwise the first tick that is made puts them there."""
        for spine in self.spines.values():
            spine.get_spine_transform()
        super().draw(renderer)

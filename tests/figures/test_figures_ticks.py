"""Axes that move one tick from place to place draw what matplotlib draws."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from leapstudy.figures import frame
from leapstudy.figures.exhibit import png, svg
from leapstudy.figures.ticks import HouseAxes, set_ticks


def _numbers(axes):
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}"))
    axes.set(xlim=(-2.34, 3.1), ylim=(5, -5))


def _named(axes):
    axes.set_xlim(0, 3)
    set_ticks(axes.xaxis, [0, 1, 3, 4], ["first", "second", "last", "outside"])
    set_ticks(axes.yaxis, [], [])
    axes.tick_params(axis="x", labelcolor="#334455", labelsize=9)


def _labelled(axes):
    axes.set_xlabel("months since then")
    axes.set_yticks([0.25, 0.75], ["low", "high"])
    axes.get_yticklabels()[0].set_color("#aa0000")


def _edges(axes):
    axes.set(xlim=(0.1 + 0.2, 0.9), ylim=(-1, 1))
    set_ticks(axes.xaxis, [0.3, 0.9], ["0.3", "0.9"])  # the first lies outside by rounding alone


def _hidden(axes):
    axes.xaxis.set_visible(False)


@pytest.mark.parametrize("lay_out", [_numbers, _named, _labelled, _edges, _hidden])
def test_one_tick_draws_as_many_do(lay_out):
    drawings, pictures = [], []
    for more in ({}, {"axes_class": HouseAxes}):
        with frame.styled():
            figure = Figure(figsize=(4, 3))
            axes = figure.add_axes((0.2, 0.2, 0.7, 0.7), **more)
            axes.plot(np.arange(3), [0, 1, 0.5])
            lay_out(axes)
        drawings.append([svg(figure, "a picture"), svg(figure, "a picture")])
        pictures.append(png(figure))
    assert drawings[0] == drawings[1] and pictures[0] == pictures[1]
    assert drawings[0][0] == drawings[0][1] and "<text" in drawings[0][0]


def test_one_tick_makes_one_object():
    axes = Figure().add_axes((0.2, 0.2, 0.7, 0.7), axes_class=HouseAxes)
    set_ticks(axes.xaxis, range(9), list("abcdefghi"))
    axes.set_xlim(0, 8)
    assert svg(axes.figure, "a picture").count("<text") > 9
    assert len(axes.xaxis.majorTicks) == 1


def test_axes_make_no_tick_before_they_are_drawn():
    axes = Figure().add_axes((0.2, 0.2, 0.7, 0.7), axes_class=HouseAxes)
    axes.tick_params(axis="x", labelcolor="#334455")
    assert not {"majorTicks", "minorTicks"} & (vars(axes.xaxis).keys() | vars(axes.yaxis).keys())
    assert axes.xaxis.majorTicks[0].label1.get_color() == "#334455"


def test_ticks_keep_the_style_in_which_their_axes_were_made():
    with frame.styled():
        axes = Figure().add_axes((0.2, 0.2, 0.7, 0.7), axes_class=HouseAxes)
    for axis in (axes.xaxis, axes.yaxis):
        (tick,) = axis.get_major_ticks(1)
        name = f"{axis.axis_name}tick"
        assert tick.label1.get_color() == frame.STYLE[f"{name}.labelcolor"]
        assert tick.label1.get_fontsize() == frame.STYLE[f"{name}.labelsize"]
        assert tick.label1.get_fontfamily() == frame.STYLE["font.family"]
        assert tick.tick1line.get_markersize() == frame.STYLE[f"{name}.major.size"]

"""Silence holds while it is asked for, also for what a library prints past Python, and ends with it."""

import os
import warnings

import pytest

from leapstudy.core.quiet import quiet


def test_nothing_is_printed_inside_and_everything_after(capfd, recwarn):
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(1, b"a solver greets\n")
        warnings.warn("a solver warns", stacklevel=1)
        raise ZeroDivisionError
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n" and not [one for one in recwarn if one.category is not ResourceWarning]

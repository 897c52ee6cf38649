"""What is kept of an answer belongs to the object that it was asked of, and to no other."""

import pytest

from leapstudy.core.cache import of_last


def counted():
    asked = []

    @of_last
    def half(about, by=2):
        asked.append(about)
        if not about:
            raise ValueError("empty")
        return [value / by for value in about]

    return half, asked


def test_it_is_made_once_for_the_same_object_and_arguments():
    half, asked = counted()
    about = [2, 4]
    assert half(about) is half(about) and half(about, 4) == [0.5, 1.0] and half(about, by=4) == [0.5, 1.0]
    assert len(asked) == 3, "by position and by name are two askings"


def test_an_equal_object_is_another_one():
    half, asked = counted()
    first, second = [2, 4], [2, 4]
    half(first), half(second), half(first)
    assert len(asked) == 3, "only the last is kept, and it is known by its identity"
    second.append(6)
    assert half(second) == [1.0, 2.0, 3.0]


def test_an_error_is_raised_each_time():
    half, asked = counted()
    nothing: list[int] = []
    for _ in range(2):
        with pytest.raises(ValueError, match="empty"):
            half(nothing)
    assert len(asked) == 2

"""Commands in messages, as whoever reads them must type them: with the study that was named."""

import re
import shlex
from functools import cache
from pathlib import Path

import typer

# The study that the command line named, as it was typed; empty where it named none.
_named: list[str] = []


def name_study(study: Path | None) -> None:
    """Keep how the study was named on the command line."""
    _named[:] = [] if study is None else [shlex.quote(str(study))]


def typed(text: str) -> str:
    """Return a message whose commands ask the study that was named, and no other.

    Examples
    --------
    >>> name_study(Path("my ohio"))
    >>> typed("Next: leapstudy check")
    "Next: leapstudy --study 'my ohio' check"
    >>> name_study(None)
    >>> typed("Next: leapstudy check")
    'Next: leapstudy check'
    """
    return _command().sub(f"leapstudy --study {_named[0]} ".replace("\\", r"\\"), text) if _named else text


@cache
def _command() -> re.Pattern[str]:
    """Return how a command that asks a study begins; `new` makes another one."""
    from leapstudy.cli import app  # which imports this module

    return re.compile(rf"\bleapstudy (?=({'|'.join(typer.main.get_group(app).commands.keys() - {'new'})})\b)")


def say(text: str, *, err: bool = False) -> None:
    """Print a message."""
    typer.echo(typed(text), err=err)

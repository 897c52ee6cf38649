"""Commands in messages, as whoever reads them must type them: with the study that was named."""

import re
import shlex
from pathlib import Path

import typer

COMMAND = re.compile(r"\bleapstudy (?=(check|choose|data|design|draw|list|plan|refresh|run|status|templates|watch)\b)")
_named: list[str] = []
"""The study that the command line named, as it was typed; empty where it named none."""


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
    return COMMAND.sub(f"leapstudy --study {_named[0]} ".replace("\\", r"\\"), text) if _named else text


def say(text: str, *, err: bool = False) -> None:
    """Print a message."""
    typer.echo(typed(text), err=err)

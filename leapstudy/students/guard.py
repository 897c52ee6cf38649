"""A guard in the kernel: whatever would be shown with a student's pseudonym in it is withheld before it leaves."""

import sys
from typing import Any

from leapstudy.students.telltale import holds_pseudonym

WITHHELD = "[withheld: this output holds a student's id; ask for counts, rates or moments]"
_MARK = "_guards_students"


def censored(content: Any) -> Any:
    """Return a message's content with every text that holds a pseudonym replaced; other parts are kept as they are."""
    if isinstance(content, str):
        return WITHHELD if holds_pseudonym(content) else content
    if isinstance(content, dict):
        return {key: censored(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [censored(item) for item in content]
    return content


def install_guard() -> bool:
    """Censor every message of the running Jupyter kernel; returns False where there is no kernel.

    All routes to a notebook (HTML, print, exception, logging, warnings, SVG) are messages of one session.
    """
    if "IPython" not in sys.modules:  # to import it takes longer than a district's students do
        return False
    from IPython.core.getipython import get_ipython

    session = getattr(getattr(get_ipython(), "kernel", None), "session", None)
    if session is None:
        return False
    if not getattr(session, _MARK, False):
        send = session.send

        def send_censored(stream: Any, message: Any, content: Any = None, *rest: Any, **more: Any) -> Any:
            if isinstance(message, dict):
                message = {**message, "content": censored(message.get("content"))}
            return send(stream, message, censored(content), *rest, **more)

        session.send = send_censored
        setattr(session, _MARK, True)
    return True

"""What cells printed, as it looked at their end: one output a stream, in time that grows with its length and no faster.

nbclient's own `coalesce_streams` searches a pattern from every character of a line to its end: one line of 160 kB takes
45 seconds, and no signal is heard meanwhile.
"""

from itertools import groupby
from typing import Any

from nbformat import NotebookNode


def settle_streams(notebook: NotebookNode) -> None:
    """Join neighboring outputs of one stream in every cell, with overwritten text gone."""
    for cell in notebook.cells:
        if outputs := cell.get("outputs"):
            cell.outputs = [output for _, group in groupby(outputs, _stream) for output in _joined(list(group))]


def _stream(output: NotebookNode) -> str:
    return output.name if output.output_type == "stream" else ""


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    first = outputs[0]
    if not _stream(first):
        return outputs
    first.text = settled("".join(_text(output.text) for output in outputs))
    return [first]


def _text(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)


def settled(text: str) -> str:
    """Return a text as a terminal shows it: a carriage return starts the line anew, a backspace takes one character."""
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_settled_line(line) for line in text.split("\n"))


def _settled_line(line: str) -> str:
    body = line.rstrip("\r")
    shown = body.rpartition("\r")[2]
    if "\b" in shown:
        characters: list[str] = []
        for character in shown:
            if character != "\b":
                characters.append(character)
            elif characters:
                characters.pop()
        shown = "".join(characters)
    return shown + line[len(body) :]

"""Parameter files as mappings: whatever else stands in such a file is refused in words, never guessed."""

from pathlib import Path
from typing import Any

import yaml

from leapstudy.core.errors import BadInput

LONGEST_BYTES = 1_000_000
RESTORE = "Restore it from version control, or see params/study.yml for the form."


class _Loader(yaml.SafeLoader):
    """The safe loader without references, by which a page of text can name billions of values, and without repeats."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"line {mark.line + 1} refers to another place (*), write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a name must be a plain text")
            if key.value in seen:
                raise yaml.YAMLError(f"{key.value!r} stands twice, again in line {key.start_mark.line + 1}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """Return a small text file of the workspace, with or without a byte order mark.

    Raises
    ------
    BadInput
        If it cannot be read, is longer than a parameter file ever is, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        if len(content) > LONGEST_BYTES:
            raise BadInput(f"{path.name} has {len(content):,} bytes; no parameter file is that long. {RESTORE}")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}). {RESTORE}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not UTF-8 text. Save it again as UTF-8.") from None


def read_mapping(path: Path) -> dict[str, Any]:
    """Return name -> value of a YAML file; empty where the file is.

    Raises
    ------
    BadInput
        If it is not UTF-8, no YAML, no mapping, names a thing twice, or holds references.
    """
    try:
        content = yaml.load(read_text(path), _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise BadInput(f"{path.name} is nested too deeply for a parameter file. {RESTORE}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"{path.name} holds a {type(content).__name__}; it needs lines like `name: ...`. {RESTORE}")
    if strange := [key for key in content if not isinstance(key, str)]:
        raise BadInput(f"{path.name} has the name {strange[0]!r}, which is no text. Put it in quotes.")
    return content

"""An executed notebook as the inside of a page: code folded away, figures as files, headings and tables in order.

nbconvert's `basic` template makes the body and keeps alternative texts; what it leaves open is put right on its tree.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from bs4 import BeautifulSoup, Tag
from PIL import Image

from leapstudy.core.files import sha256_bytes, write_bytes_atomic
from leapstudy.core.names import PAGE
from leapstudy.core.table import text_columns
from leapstudy.words.sentences import LINE

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

# Elements whose inside is no text for a reader.
EMPTIED = ("script", "style", "iframe", "template", "noscript")
FRAMES = ("frame", "frameset", "object", "embed", "applet", "portal", "foreignobject")
HEAD = ("base", "meta", "link")
FORMS = ("form", "input", "button", "select", "textarea", "dialog", "handler")
MOVING = ("audio", "video", "source", "track", "animate", "animatemotion", "animatetransform", "set", "marquee")
FORBIDDEN = (*EMPTIED, *FRAMES, *HEAD, *FORMS, *MOVING)
ADDRESSES = ("href", "src", "xlink:href", "action", "formaction", "poster", "background", "cite", "data", "ping")
DROPPED = ("srcdoc", "srcset", "ping", "formaction", "http-equiv", "autofocus", "target", "is", "slot", "nonce")
# Addresses that may stand: of the web, of the page, pictures, and relative ones, which hold no colon.
SAFE = re.compile(r"^(https?://|mailto:|data:image/(png|jpeg|gif|webp);|#|[^:]*$)", re.IGNORECASE)
# Attributes whose address is loaded without being asked for: only what the page brings itself.
LOADED = ("src", "poster", "background")
# Characters that a browser ignores in an address, so that a scheme can be hidden among them.
IGNORED = re.compile(r"[\x00-\x20\u00a0\u2028\u2029]")
STYLES = re.compile(
    r"url\s*\((?!\s*['\"]?#)|expression\s*\(|@import|position\s*:\s*(?:fixed|absolute|sticky)|behavior\s*:|\\\\",
    re.IGNORECASE,
)
# Whatever, in small letters, an exhibit of the package has no need of; one that holds any is parsed and cleaned.
ACTS = re.compile(
    rf"<\s*(?:{'|'.join(FORBIDDEN)})\b|[\s/\"']on[a-z]+\s*=|\b(?:{'|'.join((*DROPPED, 'poster', 'background'))})\s*="
    rf"|script\s*:|&#(?!x27;)|src\s*=(?!\"data:image/(?:png|jpeg|webp);)|href\s*=(?!\s*[\"']?#)|{STYLES.pattern}"
)


def may_act(html: str) -> bool:
    """Say whether a piece of HTML could hold anything that `sanitize` takes away; it errs on the safe side."""
    return bool(ACTS.search(html.lower()))  # a pattern that ignores case itself takes twice as long


def sanitize(tree: BeautifulSoup) -> None:
    """Take away elements, event handlers, addresses and styles by which a page would act."""
    for element in tree.find_all(lambda tag: tag.name.lower() in FORBIDDEN):
        if element.name.lower() in EMPTIED:
            element.decompose()
        elif element.parent is not None:
            element.unwrap()
    for element in tree.find_all(True):
        for name, value in list(element.attrs.items()):
            text = " ".join(value) if isinstance(value, list) else str(value)
            if not _may_stay(name.lower(), text):
                del element.attrs[name]


def _may_stay(name: str, value: str) -> bool:
    if name.startswith("on") or name in DROPPED:
        return False
    if name == "style":
        return not STYLES.search(value)
    if name not in ADDRESSES:
        return True
    address = IGNORED.sub("", value)
    loaded_from_outside = name in LOADED and (address.startswith("//") or "://" in address.split("?")[0])
    return bool(SAFE.match(address)) and not loaded_from_outside


DATA_URI = re.compile(r"^data:image/png;base64,(.*)$", re.DOTALL)
EXHIBIT, EXHIBIT_END = '<figure class="exhibit">', "</figure>"
SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)
SOURCE = re.compile(r'src="data:image/png;base64,([^"]*)"')
PLACEHOLDER = "exhibit"
# Where an exhibit stands in the tree while the rest is put right.
PLACE = f"<{PLACEHOLDER}></{PLACEHOLDER}>"
NUMBER = re.compile(r"^[−+-]?[\d.,]*(?:e[+-]?\d+)?(?: ?%)?$|^–$|^nan$|^NaN$|^<NA>$")
# Boxes of nbconvert's that mean nothing on a page.
WRAPPERS = ["cell", "inner_cell", "output_wrapper", "output", "output_area", "output_subarea", "text_cell_render"]
NO_ALT = "Picture without a description."
# The heading of what a page folds away.
REFEREE = "For the referee"
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def notebook_body(path: Path, figures: Path, up: str, links: Mapping[str, str], place: str = "") -> str:
    """Return the HTML body of an executed notebook.

    Parameters
    ----------
    path
        The executed notebook.
    figures
        Folder that the pictures are written to, named by their hash.
    up
        Relative address of the site's top as seen from the page (``../``).
    links
        Notebook file name -> address of its page; a link to any other notebook becomes plain text.
    place
        What the run is about, said at the head of the title: a title that every district shares names none.
    """
    html, _ = _exporter().from_notebook_node(_as_run(nbformat.read(path, as_version=4)))
    rest, exhibits = _take_exhibits(html)
    tree = BeautifulSoup(rest, "lxml")
    sanitize(tree)
    _flow_sentences(tree)
    _fold_code(tree)
    _order_headings(tree)
    _name_place(tree, place)
    _fold_referee(tree)
    _mend_links(tree, links)
    for number, picture in enumerate(tree.find_all("img"), 1):
        _move_picture(picture, figures, up)
        _scroll(tree, picture, f"Picture {number}")
    regions = _number_tables(tree, exhibits)
    body = tree.body
    text = _without_blank_lines(body.decode_contents()) if body else ""
    waiting = (_as_file(exhibit, figures, up) for exhibit in regions)
    return re.sub(PLACE, lambda _: next(waiting), text)


def _name_place(tree: BeautifulSoup, place: str) -> None:
    if place and (title := tree.find("h1")) and title.get_text(" ", strip=True).rstrip("¶ ") != place:
        title.insert(0, tag := tree.new_tag("span", attrs={"class": "place"}), " ")
        tag.string = place


def _take_exhibits(html: str) -> tuple[str, list[str]]:
    """Return the page with a mark in place of each exhibit, and what the exhibits hold."""
    first, *others = html.split(EXHIBIT)
    parts, exhibits = [first], []
    for other in others:
        inner, end, after = other.partition(EXHIBIT_END)
        if end:
            exhibits.append(_sanitized(inner))
        parts.append(PLACE + after if end else EXHIBIT + other)
    return "".join(parts), exhibits


def _sanitized(exhibit: str) -> str:
    """Return an exhibit without anything that acts; the package's own have nothing such and are not parsed again."""
    if not may_act(exhibit):
        return exhibit
    tree = BeautifulSoup(exhibit, "lxml")
    sanitize(tree)
    return tree.body.decode_contents() if tree.body else ""


def _without_blank_lines(html: str) -> str:
    """Leave out empty lines in front of a tag; by cutting, since a pattern takes forever on a million empty lines."""
    *parts, last = html.split("<")
    return "<".join([*(_without_blank_end(part) for part in parts), last])


def _without_blank_end(text: str) -> str:
    text_only = text.rstrip()
    blank = text[len(text_only) :]
    if not blank.endswith("\n") or blank.count("\n") < 2:
        return text
    return text_only + blank.split("\n", 1)[0] + "\n"


def _as_run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave out the default parameters where a run's own were injected below them: only these hold on the page.

    The path of the result is a matter of the machine that ran it, and stays out too. An exhibit that was drawn for
    pages is shown as it was drawn for them.
    """
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    if any("injected-parameters" in own for own in tags):
        cells = list(zip(notebook.cells, tags, strict=True))
        for cell, own in cells:
            if "injected-parameters" in own:
                lines = cell.source.splitlines()
                cell.source = "\n".join(line for line in lines if not line.startswith("result_path = "))
        notebook.cells = [cell for cell, own in cells if "parameters" not in own]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if PAGE in output.get("data", {}):
                output["data"]["text/html"] = output["data"].pop(PAGE)
    return notebook


@cache
def _exporter() -> "HTMLExporter":
    """Return the one exporter of this process: it compiles its templates only once."""
    from nbconvert import HTMLExporter  # half a second that a build with nothing to do is spared

    class PageExporter(HTMLExporter):
        """The HTML exporter without what a page throws away: colored code, its tree parsed once too often."""

        def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> Any:
            """Return the page without a second parse, which only adds alternative texts that it has."""
            return super(HTMLExporter, self).from_notebook_node(nb, resources, **kw)

    filters = {"highlight_code": _plain_code, "clean_html": _as_it_is}
    return PageExporter(template_name="basic", anchor_link_text="", filters=filters, default_preprocessors=[])


def _plain_code(source: str, **_: Any) -> str:
    return f"<pre>{escape(source)}</pre>"


def _as_it_is(html: str) -> str:
    return html


def _fold_code(tree: BeautifulSoup) -> None:
    for unwanted in tree.find_all(class_=["prompt", "anchor-link"]):
        unwanted.decompose()
    for cell in tree.find_all("div", class_="input"):
        details = tree.new_tag("details")
        details.append(tree.new_tag("summary", string="Code"))
        details.append(tree.new_tag("pre", string=cell.get_text().strip("\n")))
        cell.replace_with(details)
    for wrapper in tree.find_all("div", class_=WRAPPERS):
        wrapper.unwrap()


def _flow_sentences(tree: BeautifulSoup) -> None:
    """Let printed sentences flow: a line broken only because it was full goes on, as a page has its own width."""
    for output in tree.find_all("div", class_=["output_stream", "output_text"]):
        for pre in output.find_all("pre"):
            pre.string = flowing(pre.get_text().strip("\n"))


def flowing(text: str) -> str:
    """Return the text without the line breaks that `sentences.say` made: those before a word that did not fit."""
    lines: list[str] = []
    width = 0
    for line in text.split("\n"):
        first = line.split(" ", 1)[0]
        if lines and first and width + 1 + len(first) > LINE >= width:
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        width = len(line)
    return "\n".join(lines)


def _order_headings(tree: BeautifulSoup) -> None:
    """Keep the first h1, make further ones h2, and let no level be skipped; nothing leads to their long names."""
    level = 0
    for heading in tree.find_all(HEADINGS):
        heading.attrs.pop("id", None)
        level_of = int(heading.name[1])
        depth = 1 if level == 0 else max(2, min(level_of, level + 1))
        heading.name, level = f"h{depth}", depth


def _fold_referee(tree: BeautifulSoup) -> None:
    """Fold the part for the referee: its heading opens it."""
    for heading in tree.find_all("h2", string=REFEREE):
        details, summary = tree.new_tag("details", attrs={"class": "referee"}), tree.new_tag("summary")
        inside = list(takewhile(lambda item: getattr(item, "name", None) != "h2", heading.next_siblings))
        heading.replace_with(details)
        summary.append(heading)
        details.extend([summary, *(item.extract() for item in inside)])


def _number_tables(tree: BeautifulSoup, exhibits: Sequence[str]) -> list[str]:
    """Put each table, in order, into a region that a keyboard can scroll, named by its number; return the exhibits.

    An exhibit's own table is sound as `Exhibit.html` made it, and most of a page's cells are in such tables: they are
    kept out of the tree.
    """
    waiting, regions = iter(exhibits), []
    for number, place in enumerate(tree.find_all(["table", PLACEHOLDER]), 1):
        name = f"Table {number}"  # its caption says what it holds
        if place.name == PLACEHOLDER:
            regions.append(_with_region(next(waiting), name))
            continue
        for attribute in ("border", "style"):
            place.attrs.pop(attribute, None)
        _mend_headers(place)
        _scroll(tree, place, name)
    return regions


def _scroll(tree: BeautifulSoup, item: Tag, name: str) -> None:
    """Put what may be wider than a phone into a region that a keyboard can scroll."""
    item.wrap(tree.new_tag("div", attrs={"class": "scroll", "role": "region", "tabindex": "0", "aria-label": name}))


def _with_region(exhibit: str, name: str) -> str:
    details = SUMMARY.sub(f"<summary>{name}</summary>", exhibit)
    region = f'<div class="scroll" role="region" tabindex="0" aria-label="{name}"><table'
    return details.replace("<table", region).replace("</table>", "</table></div>")


def _mend_headers(table: Tag) -> None:
    wordy: dict[int, int] = {}
    for row in table.find_all("tr"):
        row.attrs.pop("style", None)
        scope = "col" if row.parent is not None and row.parent.name == "thead" else "row"
        for place, cell in enumerate(row.find_all(["th", "td"], recursive=False), 1):
            text = cell.get_text(strip=True)
            if cell.name == "th":
                cell["scope"] = scope
                if scope == "col" and not text:
                    cell.string = "Row"
            elif not NUMBER.match(text):
                wordy[place] = max(wordy.get(place, 0), len(text))
    table.attrs.pop("class", None)
    if classes := text_columns(wordy):
        table["class"] = classes


def _mend_links(tree: BeautifulSoup, links: Mapping[str, str]) -> None:
    for anchor in tree.find_all("a", href=True):
        name = Path(str(anchor["href"]).split("#")[0]).name
        if not name.endswith(".ipynb"):
            continue
        if name in links:
            anchor["href"] = links[name]
        else:
            anchor.unwrap()


def _move_picture(picture: Tag, figures: Path, up: str) -> None:
    match = DATA_URI.match(str(picture.get("src", "")))
    if not picture.get("alt"):
        heading = picture.find_previous(HEADINGS)
        picture["alt"] = NO_ALT if heading is None else f"Picture of the analyst's own: {heading.get_text(strip=True)}"
    if match:
        name = save_picture(base64.b64decode(match.group(1)), figures)
        picture["src"] = f"{up}assets/figures/{name}"


def _as_file(exhibit: str, figures: Path, up: str) -> str:
    """Return an exhibit whose picture is a file."""
    return (
        "<figure>"
        + SOURCE.sub(
            lambda match: f'src="{up}assets/figures/{save_picture(base64.b64decode(match.group(1)), figures)}"', exhibit
        )
        + "</figure>"
    )


def save_picture(png: bytes, folder: Path) -> str:
    """Write a PNG as lossless WebP, named by its hash, and return the name; a picture that is there stays."""
    name = f"{sha256_bytes(png)[:16]}.webp"
    if not (folder / name).is_file():
        out = BytesIO()
        Image.open(BytesIO(png)).convert("RGB").save(out, "webp", lossless=True, quality=50, method=2)
        write_bytes_atomic(folder / name, out.getvalue())
    return name

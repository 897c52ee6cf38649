"""What a cell may not bring onto a page: anything that acts, loads or leads the browser elsewhere by itself."""

import re

from bs4 import BeautifulSoup

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

"""Every kind of page in a real browser: WCAG 2.1 AA, keyboard, narrow and enlarged, light and dark,
nothing from outside.
"""

import re
from contextlib import contextmanager
from itertools import pairwise

import pytest
from axe_core_python.sync_playwright import Axe

pytestmark = pytest.mark.browser
# One page of each kind and every element that any page has; in Spanish where the same page has longer words.
PAGES = [
    "index.html",
    "all-districts/plain.html",
    "hartford/plain.es.html",
    "all-districts/appendix.html",
    "hartford/notebook.html",
    "danbury/notebook.html",
    "40-explore/notebook.html",
    "students-hartford/plain.es.html",
    "students-hartford/appendix.html",
    "students-hartford/notebook.html",
]
TAGS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
CONTRAST = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WINDOW = {"width": 1280, "height": 900}
FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"
NOTE_FOCUS = """() => { window.seen = []; document.addEventListener('focusin', (event) => {
    const box = getComputedStyle(event.target);
    seen.push([event.target.outerHTML.slice(0, 120), box.outlineStyle !== 'none' && box.outlineWidth !== '0px']);
}); }"""


@contextmanager
def visiting(chromium, site):
    """Give a function that opens a page; at the end no page may have asked for more than its own files."""
    contexts, asked, told = [], [], []

    def open_page(name):
        context = chromium.new_context(viewport=WINDOW, color_scheme="light")
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("requestfailed", lambda request: told.append(f"failed: {request.url}"))
        page.goto((site / name).as_uri(), wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith((site.as_uri(), "data:"))]
    assert not told


@pytest.fixture
def opened(chromium, site):
    with visiting(chromium, site) as open_page:
        yield open_page


@pytest.fixture(scope="module", params=PAGES)
def shown(request, chromium, site):
    """Return the name of a page, and the page, opened once for all tests that leave it as it was opened."""
    with visiting(chromium, site) as open_page:
        yield request.param, open_page(request.param)


@pytest.fixture
def still(shown):
    """Return the name of a page, and the page as it was opened: wide, light, its folds as they stand."""
    name, page = shown
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.was = item.open; })")
    yield name, page
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = item.was; })")
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WINDOW)


def test_no_accessibility_violation(still):
    _, page = still
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    for scheme, rules in (("light", TAGS), ("dark", CONTRAST)):
        page.emulate_media(color_scheme=scheme)
        # else it describes every element that is in order, which takes longer than looking
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        found = Axe().run(page, options=options)["violations"]
        assert not [(item["id"], [node["html"][:200] for node in item["nodes"][:3]]) for item in found], scheme


def test_nothing_is_cut_when_narrow_or_enlarged(still):
    _, page = still
    for width, size in ((320, "100%"), (640, "100%"), (1280, "200%")):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", size)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (width, size)


def test_on_a_phone_words_stay_in_sight_and_pictures_keep_their_size(still):
    name, page = still
    page.set_viewport_size({"width": 375, "height": 800})
    drawn = page.locator("td.interval, .drawn").evaluate_all("(all) => all.filter((x) => x.checkVisibility()).length")
    assert not drawn, "a picture that is hidden is not explained"
    widths = page.evaluate("[...document.querySelectorAll('.scroll > img')].map((item) => item.clientWidth)")
    rights = page.evaluate(
        "[...document.querySelectorAll('.scroll caption')].map((item) => item.getBoundingClientRect().right)"
    )
    assert rights or not name.endswith(("index.html", "appendix.html"))
    assert all(right <= 375 for right in rights), "the words over a table do not scroll away with it"
    assert all(width >= 470 for width in widths) and (widths or name != "hartford/notebook.html")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(still):
    """What takes the focus is noted by the page; the skip link, which comes first, leads to the content."""
    _, page = still
    shown = page.locator(FOCUSABLE).evaluate_all("(items) => items.filter((item) => item.checkVisibility()).length")
    page.evaluate(NOTE_FOCUS)
    for _ in range(shown):
        page.keyboard.press("Tab")
    seen = page.evaluate("seen")
    assert len(seen) == shown
    assert seen[0][0].startswith('<a class="skip"')
    assert not [html for html, outlined in seen if not outlined]
    page.locator("a.skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_every_picture_states_its_finding(still):
    name, page = still
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
        assert 30 <= len(picture.get_attribute("alt")) <= 300
        assert picture.evaluate("(item) => item.decode().then(() => item.naturalWidth)") > 300
    assert page.evaluate("document.fonts.check(`16px 'Public Sans'`)")
    for picture in page.locator("figure svg:visible").all():
        assert 30 <= len(picture.get_attribute("aria-label")) <= 300
        figure = picture.locator("xpath=ancestor::figure")
        caption = figure.locator("figcaption, details > p").first.text_content()
        source, *others = ("Fuente", "Muestra", "Años") if ".es." in name else ("Source", "Sample", "Years")
        assert all(f"{word}:" in caption for word in (source, *others, "N"))
        assert figure.locator("table").count() == 1
        assert figure.locator("svg:visible").count() == 1, "one of the two widths"


def test_headings_have_one_top_and_skip_no_level(still):
    _, page = still
    tags = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("(h) => h.map((x) => x.tagName)")
    levels = [int(tag[1]) for tag in tags]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_simulated_students_are_named_at_the_top_of_their_pages_and_of_no_other(still):
    name, page = still
    told = page.locator("main .simulated")
    assert told.count() == int(name.startswith("students-") or name == "index.html")
    for line in told.all():
        assert line.is_visible() and re.search("SIMULA(TED|DOS)", line.inner_text())


def test_each_interval_of_the_index_is_drawn(opened):
    """A line and a dot that are there but nested in another part are not drawn: only their boxes tell."""
    cells = opened("index.html").locator("td svg")
    assert cells.count() >= 2
    for cell in cells.all():
        zero, *interval, dot = (part.bounding_box() for part in cell.locator("line, circle").all())
        if not interval:  # the preferred test has no bounded interval: zero and the estimate alone
            assert zero["height"] > 10 and dot["width"] >= 8
            continue
        (interval,) = interval
        assert zero["height"] > 10 and interval["width"] > 10 and dot["width"] >= 8
        assert interval["x"] < dot["x"] < interval["x"] + interval["width"]


def test_the_filter_works_by_keyboard(opened):
    page = opened("index.html")
    page.locator("#filter-name").focus()
    page.keyboard.type("hart")
    assert page.locator("tbody tr:visible").count() == 2
    assert page.locator("#filter-count").inner_text() == "2 of 5 shown"
    page.locator("#filter-name").fill("")
    page.locator("#filter-status").focus()
    page.keyboard.type("failed")
    assert page.locator("tbody tr:visible th").all_inner_texts() == ["Danbury"]


def test_every_link_leads_somewhere(still, site):
    _, page = still
    for address in page.locator("a[href]").evaluate_all("(links) => links.map((link) => link.href.split('#')[0])"):
        target = re.sub("^file://", "", address)
        assert target.endswith("run.log") or (site / target).is_file(), address

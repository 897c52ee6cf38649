"""A small site and a real browser, once a session."""

import shutil

import pytest
from playwright.sync_api import sync_playwright
from site_factory import small_site

from leapstudy.site.documents import FLAGS
from leapstudy.study.students import study_students

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chromium():
    """Return a running Chromium."""
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: install Debian's `chromium` to prove the pages in a browser.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory, whole, hartford_study):
    """Return the folder of a small site: all together and one district on both tracks, one failed, two articles."""
    out = tmp_path_factory.mktemp("site")
    students = [study_students("all-districts"), study_students("hartford")]
    small_site(out, [whole, hartford_study], students)
    return out

"""The page of benchmarks says what the kept figures say."""

from leapstudy.core import paths


def test_the_page_is_written_from_the_kept_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(paths.root() / "benchmarks"))
    import page

    assert page.PAGE.read_text(encoding="utf-8") == page.page()

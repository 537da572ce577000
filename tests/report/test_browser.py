"""The page in a real browser: nothing in its console, no request to anywhere, and text that fits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from fanout.report.contents import contents_of
from fanout.report.page import render
from fanout.runfile import RunFile
from tests.report import several
from tests.report.runs import KINDS, hostile

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")

#: No sandbox, for root can't have one; no shared memory, of which containers have little; no name that could be looked up.
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-gpu"]

#: A telephone and a screen, in pixels across.
WIDTHS = (390, 1400)

#: Texts that do not fit: those that leave the page, or the box that they stand in, and those of a chart that touch others.
MISFITS = """() => {
    const found = [], across = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > across) found.push("the page scrolls sideways");
    const rectangle = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return range.getBoundingClientRect();
    };
    const says = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    for (const element of document.querySelectorAll("body *")) {
        if (!says(element) || element.closest(".scroll, title")) continue;
        const text = rectangle(element), words = element.textContent.trim().slice(0, 60);
        if (!text.width) continue;
        if (text.left < -1 || text.right > across + 1) found.push("off the page: " + words);
        let box = element;
        while (!(box instanceof SVGElement) && getComputedStyle(box).display.startsWith("inline")) box = box.parentElement;
        const room = box.getBoundingClientRect();
        if (text.left < room.left - 1 || text.right > room.right + 1) found.push("out of its box: " + words);
    }
    for (const chart of document.querySelectorAll("svg")) {
        const texts = [...chart.querySelectorAll(":scope > text")].map(text => [text.textContent, text.getBoundingClientRect()]);
        texts.filter(([, one]) => one.width).forEach(([words, one], place) => texts.slice(place + 1).forEach(([others, other]) => {
            if (other.width && one.left < other.right && other.left < one.right && one.top + 2 < other.bottom && other.top + 2 < one.bottom)
                found.push(`on top of each other: ${words}, ${others}`);
        }));
    }
    return found;
}"""


class Watched:
    """A page that is looked at, and what it did."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@contextmanager
def opened(path: Path, width: int, scheme: str = "light") -> Iterator[Watched]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
        )
        watched = Watched(page)
        page.goto(path.as_uri())
        try:
            yield watched
        finally:
            browser.close()


def pages(folder: Path) -> list[Path]:
    """A page for each kind of run, and for hostile ones."""
    makes: list[Callable[[Path], Path]] = [
        *KINDS,
        *several.KINDS,
        partial(hostile, job="largest"),
        partial(hostile, job="own"),
    ]
    found = []
    for number, make in enumerate(makes):
        with RunFile.open(make(folder / f"{number}.fanout")) as file:
            page = folder / f"{number}.html"
            page.write_text("".join(render(contents_of(file))))
        found.append(page)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_quiet_asks_for_nothing_and_has_room_for_its_text(tmp_path: Path, width: int) -> None:
    every = pages(tmp_path)
    with opened(every[0], width) as watched:
        for page in every:
            watched.page.goto(page.as_uri())
            assert (page.name, watched.page.evaluate(MISFITS)) == (page.name, [])
            watched.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert (page.name, watched.page.evaluate(MISFITS)) == (page.name, [])

    asked_for = {url for url in watched.requests if url not in {page.as_uri() for page in every}}
    assert asked_for <= {"data:,"}
    assert watched.console == []


def test_it_is_dark_where_the_browser_is_and_light_on_paper(tmp_path: Path) -> None:
    page, *_ = pages(tmp_path)
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(page, 800, "dark") as watched:
        dark = watched.page.evaluate(background)
        watched.page.emulate_media(media="print")
        paper = watched.page.evaluate(background)
        watched.page.emulate_media(media="screen", color_scheme="light")
        light = watched.page.evaluate(background)

    assert (dark, paper, light) == ("rgb(17, 20, 23)", "rgb(255, 255, 255)", "rgb(255, 255, 255)")


def test_a_script_that_got_into_the_page_would_not_be_run(tmp_path: Path) -> None:
    page, *_ = pages(tmp_path)
    page.write_text(page.read_text().replace("</body>", "<script>document.title = 'got in'</script></body>"))
    with opened(page, 800) as watched:
        title = watched.page.title()

    assert title == "census · null:60 · 60 done, 0 failed, of 60"
    assert "Content Security Policy" in watched.console[0]

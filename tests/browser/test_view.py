"""``promptrial view`` in Chromium: live through a stop, a kill and a resume, items, comparison, and hostile texts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from promptrial.care.view import app
from promptrial.documents.printable import escaped
from tests.support.browser import browsing
from tests.support.finished import fake_provider_known
from tests.support.page_runs import ATTACKS, small_project
from tests.support.project import Project, import_path
from tests.support.terminals import PROGRAM, allow_rows
from tests.support.viewing import Viewed, viewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ("/", "/run/r", "/run/r/items", "/run/r/items?item=1", "/compare?a=r&b=r", "/run/nowhere")
EXAMINED = ("/", "/run/r", "/run/r/items?item=1", "/compare?a=r&b=r")


@pytest.fixture(scope="module")
def seen(ordinary: Path) -> Iterator[Viewed]:
    """The ordinary run, served."""
    with fake_provider_known(), viewing(ordinary.parents[2]) as found:
        yield found


@contextmanager
def at_work(project: Project, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Work on run ``r`` in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM % "FakeProvider", "run", "--run_id", "r", "--display", "none", *flags],
        cwd=project.root, env={**os.environ, "PYTHONPATH": import_path()}, stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_a_run_is_followed_through_a_stop_by_the_button_a_kill_and_a_resume(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_LOOK_EVERY_S", 0.1)
    with small_project(tmp_path) as project, viewing(tmp_path, allow_stop=True) as seen:
        project.write_config({"spending": {"max_usd": 5.0, "month_max_usd": 9.0}})
        assert project.run("--to_step", "build").code == 0
        with browsing(browser, seen) as watched:
            page, shows = watched.page, partial(watched.wait, seconds=60.0)
            page.click("text=r >> nth=0")
            page.goto(f"{seen.base}/run/r")
            shows("#live .lead", "incomplete")
            assert not page.is_visible("text=Stop after")

            allow_rows(project, 3)
            with at_work(project, "--resume") as first:
                shows("#live", "3 of 28 answers")
                shows("#live .lead", "running")
                shows("#live", "nothing yet of at most 5.00 USD")
                shows("#live", "of at most 9.00 USD, by all runs of this folder")
                page.evaluate("document.querySelector('#live h2').stays = 'yes'")
                allow_rows(project, 9)
                shows("#live", "9 of 28 answers")
                shows("#live", "requests/s")
                assert page.evaluate("document.querySelector('#live h2').stays") == "yes", (
                    "what has not changed is not replaced"
                )
                page.click("text=Stop after the current requests")
                shows("#live .lead", "stopping")
                allow_rows(project, 10)
                assert first.wait(60) == 5
            shows("#live .lead", "stopped")
            shows("#live", "Resume it with: promptrial run --run_id r")

            allow_rows(project, 14)
            with at_work(project, "--resume") as second:
                shows("#live", "14 of 28 answers")
                shows("#live .lead", "running")
                second.send_signal(signal.SIGKILL)
            shows("#live .lead", "crashed")

            assert not page.is_visible("#lost")
            allow_rows(project, 1000)
            assert project.run("--resume").code == 0
            shows("#live .lead", "finished")
            shows("#live", "28 of 28 answers")
            page.click("#live >> text=report")
            page.wait_for_selector("body[data-ready]", state="attached")


def test_items_are_filtered_searched_and_reached_by_their_address(browser: Browser, seen: Viewed) -> None:
    with browsing(browser, seen) as watched:
        page = watched.page
        page.goto(f"{seen.base}/run/r/items")
        assert page.locator("section.changed").count() == 25
        page.click("text=later")
        assert page.locator("section.changed").count() == 15
        page.click(".jumps a >> text=broken")
        watched.wait("[role=status]", "4 items")
        assert page.inner_text("[aria-current=true]") == "broken 4"
        page.fill("input[name=q]", "NUMBER 29?")
        page.press("input[name=q]", "Enter")
        watched.wait("[role=status]", "1 item")
        page.click("section.changed h2 a")
        link, title = page.url, page.inner_text("section.changed h2")
        assert "q29" in title
        assert page.locator("section.changed").count() == 1
    with browsing(browser, seen) as watched:
        watched.page.goto(link)
        assert watched.page.inner_text("section.changed h2") == title


def test_two_runs_are_chosen_and_compared(browser: Browser, seen: Viewed, ordinary: Path) -> None:
    other = ordinary.parents[1] / "run_other"
    other.mkdir()
    (other / "run_state.json").write_bytes((ordinary.parent / "run_state.json").read_bytes())
    with browsing(browser, seen) as watched:
        page = watched.page
        page.reload()
        page.check("[aria-label='compare r as A']")
        page.check("[aria-label='compare r as B']")
        page.click("text=Compare B with A")
        assert page.url == f"{seen.base}/compare?a=r&b=r"
        assert "No difference shown" in page.inner_text("#main")
        assert page.locator("figure.wide svg").is_visible()
    for path in other.iterdir():
        path.unlink()
    other.rmdir()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_in_both_colour_schemes_and_axe_finds_nothing_serious(
    browser: Browser, seen: Viewed, scheme: str
) -> None:
    with browsing(browser, seen, width=360, color_scheme=scheme) as watched:
        colours = set()
        for path in PAGES:
            watched.page.goto(f"{seen.base}{path}")
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360, path
            if path == "/":
                assert watched.page.eval_on_selector(".tablewrap", "box => box.scrollWidth <= box.clientWidth")
            colours.add(watched.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            looked_at = scheme == "dark" and path in EXAMINED  # axe takes a second for each
            found = Axe().run(watched.page).response["violations"] if looked_at else []
            serious = [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
            assert serious == [], (path, found)
        assert colours == {"rgb(22, 22, 24)" if scheme == "dark" else "rgb(255, 255, 255)"}
        watched.said[:] = [text for text in watched.said if "404" not in text]  # the page of a missing run


def test_a_report_works_in_its_sandbox_and_reaches_nothing(browser: Browser, seen: Viewed) -> None:
    with browsing(browser, seen) as watched:
        page = watched.page
        page.goto(f"{seen.base}/run/r/report#outcome=fixed")
        page.wait_for_selector("body[data-ready]", state="attached")
        assert page.inner_text("#found").startswith("16 of 40")
        page.keyboard.press("j")
        assert page.evaluate("window.origin") == "null"
        assert watched.said == []
        assert page.evaluate("fetch('/run/r').then(() => 'reached', () => 'refused')") == "refused"
        watched.said.clear()


def test_hostile_texts_are_text_on_every_page(browser: Browser, hostile: Path) -> None:
    with fake_provider_known(), viewing(hostile.parents[2]) as seen, browsing(browser, seen) as watched:
        page = watched.page
        for path in ("/run/r", "/run/r/items", "/compare?a=r&b=r"):
            page.goto(f"{seen.base}{path}")
            title = page.title()
            assert page.locator("main img, main script, main b script").count() == 0
            assert not {"\x1b", "\0", "\u202e"} & {*page.evaluate("document.body.textContent")}
            assert page.title() == title != "stolen"
        page.goto(f"{seen.base}/run/r/items")
        said = page.locator("section.arm:first-child .answer").evaluate_all(
            "boxes => boxes.map(each => each.textContent)"
        )
        whole = [escaped(attack) for attack in ATTACKS if len(attack) <= 10_000]
        assert {*whole} <= {*said}
        assert any(text.endswith("[and 990,000 more characters]") for text in said)
        page.click("section.changed:has-text('[and 990,000 more characters]') h2 a")
        assert page.locator("section.arm .answer").first.evaluate("box => box.textContent.length") == 1_000_000

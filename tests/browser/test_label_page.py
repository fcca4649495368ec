"""The page on which people label answers, in Chromium: by keys, readable for everybody, and safe from what it shows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from promptrial.cli.main import main
from promptrial.documents.label_sheets import LARGEST_CELL
from tests.support.browser import browsing
from tests.support.finished import fake_provider_known
from tests.support.labelling import labelling
from tests.support.viewing import Viewed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PHONE = {"width": 360, "height": 640}
WIDE = {"width": 1280, "height": 800}


@contextmanager
def served(folder: Path, sheet: Path, *flags: str) -> Iterator[Viewed]:
    """Draw a sheet of the run below a folder, and serve it."""
    runs = ["--experiments_dir", str(folder / "experiments")]
    with fake_provider_known():
        if not sheet.exists():
            assert main(["label", "r", *runs, "--out", str(sheet), *flags]) == 0
        with labelling(folder, sheet) as found:
            yield found


def labels(sheet: Path) -> list[str]:
    csv.field_size_limit(LARGEST_CELL)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        return [row["label"] for row in csv.DictReader(file)]


def test_a_sheet_can_be_labelled_with_keys_only(browser: Browser, ordinary: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "ann.csv"
    with served(ordinary.parents[2], sheet, "--n", "4") as seen, browsing(browser, seen, **WIDE) as watched:
        page, n = watched.page, len(labels(sheet))
        assert page.inner_text("h1") == "Item 1, answer A"
        assert page.locator("details").get_attribute("open") is not None
        page.keyboard.press("1")
        page.wait_for_url("**/answer/2")  # and until its script listens to keys
        watched.wait("[role=status]", f"1 of {n} answers labelled")
        page.keyboard.press("j")
        page.wait_for_url("**/answer/3")
        page.keyboard.press("0")
        page.wait_for_url("**/answer/4")
        page.keyboard.press("k")
        page.wait_for_url("**/answer/3")
        assert page.inner_text("[aria-pressed=true]") == "0: no"
        page.keyboard.press("u")
        page.wait_for_url("**/answer/4")
        assert labels(sheet) == ["1", *[""] * (n - 1)]
        page.keyboard.press("Control+1")
        for _ in range(n - 1):
            place = page.url
            page.keyboard.press("0")
            page.wait_for_url(lambda url, place=place: url != place)  # type: ignore[misc]
        assert page.url.endswith("/end")
        watched.wait("[role=status]", f"All {n} answers are labelled.")
        assert labels(sheet) == ["1", *["0"] * (n - 1)]


def test_a_number_is_typed_and_saved(browser: Browser, ordinary: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "ann.csv"
    flags = ("--n", "2", "--measure", "f1")
    with served(ordinary.parents[2], sheet, *flags) as seen, browsing(browser, seen, **WIDE) as watched:
        watched.page.fill("input[type=number]", "0.5")
        watched.page.press("input[type=number]", "Enter")
        watched.page.wait_for_url("**/answer/2")
        watched.page.keyboard.press("j")
        watched.page.wait_for_url("**/answer/3")
        assert labels(sheet)[:2] == ["0.5", ""]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_everybody_can_read_and_use_the_page(
    browser: Browser, ordinary: Path, tmp_path: Path, size: dict[str, Any], scheme: str
) -> None:
    with (
        served(ordinary.parents[2], tmp_path / "ann.csv", "--n", "2") as seen,
        browsing(browser, seen, **size, color_scheme=scheme) as watched,
    ):
        watched.page.keyboard.press("1")
        watched.page.wait_for_url("**/answer/2")
        for address in ("/answer/1", "/answer/3", "/end"):
            watched.page.goto(seen.base + address)
            found = Axe().run(watched.page)
            assert found.response["violations"] == [], found.generate_report()
            assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_hostile_texts_are_only_shown(browser: Browser, hostile: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "ann.csv"
    with served(hostile.parents[2], sheet, "--n", "100") as seen, browsing(browser, seen, **WIDE) as watched:
        for number in range(1, len(labels(sheet)) + 1):
            watched.page.goto(f"{seen.base}/answer/{number}")
            assert watched.page.title().startswith("Item ")
            assert watched.page.locator("script").count() == 1

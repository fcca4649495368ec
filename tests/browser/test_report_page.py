"""The page of a run in Chromium: what a reader sees, presses and prints, and what no text of a model can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from promptrial.documents.printable import escaped
from tests.support.browser import Watched, opened
from tests.support.page_runs import ATTACKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator


@pytest.fixture
def seen(browser: Browser, ordinary: Path) -> Iterator[Watched]:
    with opened(browser, ordinary) as watched:
        yield watched


def found(seen: Watched) -> int:
    return int(seen.page.inner_text("#found").split(" of ")[0])


def current(seen: Watched) -> str:
    return seen.page.inner_text("#item h3")


def test_a_page_makes_no_request_and_its_console_is_silent(browser: Browser, ordinary: Path) -> None:
    with opened(browser, ordinary) as watched:
        watched.page.keyboard.press("j")
        watched.page.wait_for_timeout(200)
        assert watched.said == []
        assert watched.asked == [ordinary.as_uri()]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 640)])
def test_the_first_screen_holds_the_verdict_and_the_plot_and_nothing_is_wider(
    browser: Browser, ordinary: Path, width: int, height: int
) -> None:
    with opened(browser, ordinary, width=width, height=height) as watched:
        page = watched.page
        verdict = page.locator(".verdict").first.bounding_box()
        assert verdict is not None
        assert verdict["y"] + verdict["height"] < height / 2
        plot = page.locator("figure.wide svg" if width > 760 else "figure.narrow svg").first.bounding_box()
        assert plot is not None
        assert plot["y"] < height
        if width > 760:
            assert plot["y"] + plot["height"] <= height
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colours_that_the_reader_prefers(browser: Browser, ordinary: Path, scheme: str) -> None:
    with opened(browser, ordinary, color_scheme=scheme) as watched:
        paper = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades = [int(shade) for shade in re.findall(r"\d+", paper)]
        assert (min(shades) > 200) == (scheme == "light")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing_serious(browser: Browser, ordinary: Path, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, ordinary, "#outcome=fixed", width=width, color_scheme=scheme) as watched:
        violations: list[dict[str, Any]] = Axe().run(watched.page).response["violations"]
        assert [each for each in violations if each["impact"] in {"serious", "critical"}] == []


# --- filters, search, order, keys, links ------------------------------------------------------------------------------


def test_chips_count_the_items_they_show(seen: Watched) -> None:
    counts = {}
    for chip in seen.page.locator("#outcomes button:visible").all():
        chip.click()
        name, number = chip.inner_text().rsplit(" ", 1)
        counts[name] = int(number)
        assert found(seen) == int(number)
        assert chip.get_attribute("aria-pressed") == "true"
    assert counts == {"all": 40, "fixed": 16, "broken": 4, "both right": 8, "both wrong": 12, "abstained": 32}
    assert [int(text.split()[0]) for text in seen.texts(".jumps a")] == [16, 4, 8, 12]


def test_pressing_a_chip_again_or_escape_shows_all(seen: Watched) -> None:
    seen.page.click("#outcomes button[value=fixed]")
    seen.page.click("#outcomes button[value=fixed]")
    assert found(seen) == 40
    seen.page.click("#outcomes button[value=broken]")
    seen.page.keyboard.press("Escape")
    assert found(seen) == 40


def test_search_covers_questions_golds_and_answers_in_any_case(seen: Watched) -> None:
    seen.page.fill("#query", "NUMBER 17?")
    assert (found(seen), current(seen)) == (1, "q17")
    seen.page.fill("#query", "i do not remember")
    assert found(seen) == 40 - 8
    seen.page.fill("#query", "nowhere to be found")
    assert "No item passes these filters" in seen.page.inner_text("#item")
    seen.page.keyboard.press("Escape")
    assert (found(seen), seen.page.input_value("#query")) == (40, "")


def test_a_bound_on_a_score_shows_the_items_that_pass_it(seen: Watched) -> None:
    seen.page.select_option("#measure", "em above")
    assert found(seen) == 16 + 4 + 8
    seen.page.select_option("#measure", "em below")
    assert found(seen) == 16 + 4 + 12
    seen.page.fill("#bound", "0")
    assert found(seen) == 0


def test_items_are_sorted_by_gain(seen: Watched) -> None:
    first = {}
    for order in ("worst", "best", "order"):
        seen.page.select_option("#sort", order)
        seen.page.keyboard.press("Escape")
        seen.page.eval_on_selector("#list", "list => { list.scrollTop = 0 }")
        seen.page.wait_for_selector("#rows button[style*='top: 0px']")
        first[order] = seen.texts("#rows .id")[0]
    assert first["order"].split()[1] == "1"
    assert first["worst"].startswith("\u2212")
    assert first["best"].startswith("+")


def number(seen: Watched) -> int:
    """Return the number of the item that is shown."""
    return int(seen.page.inner_text("#item .small >> nth=0").split("item ")[1].split()[0])


def test_the_marks_of_words_that_differ_are_switched_off_and_on_again(seen: Watched) -> None:
    shown = "document.querySelectorAll('#item del, #item ins').length"
    visible = "[...document.querySelectorAll('#item del')].filter(each => each.offsetParent).length"
    seen.page.keyboard.press("f")
    assert seen.page.evaluate(shown)
    before = seen.page.evaluate(visible)
    assert before
    for checked, n in ((False, 0), (True, before)):
        seen.page.get_by_label("Mark differences").set_checked(checked)
        assert seen.page.evaluate(visible) == n


def test_keys_go_from_item_to_item(seen: Watched) -> None:
    press = seen.page.keyboard.press
    assert number(seen) == 1
    press("j")
    press("j")
    assert number(seen) == 3
    press("k")
    assert number(seen) == 2
    for key, outcome in (("f", "fixed"), ("b", "broken")):
        before = number(seen)
        press(key)
        assert number(seen) > before
        assert seen.page.inner_text("#item .small >> nth=0").startswith(outcome)
    press("/")
    seen.page.keyboard.type("jjj")
    assert (seen.page.input_value("#query"), found(seen)) == ("jjj", 0)
    press("Escape")
    press("?")
    assert seen.page.is_visible("#help")
    press("Escape")
    assert not seen.page.is_visible("#help")


def test_everything_can_be_reached_with_the_tab_key(seen: Watched) -> None:
    reached = set()
    for _ in range(120):
        seen.page.keyboard.press("Tab")
        reached.add(seen.page.evaluate("document.activeElement.id || document.activeElement.value"))
    assert {"query", "sort", "measure", "bound", "list", "keys", "fixed", "broken"} <= reached


def test_a_link_opens_its_filter_and_its_item(browser: Browser, ordinary: Path) -> None:
    with opened(browser, ordinary, "#outcome=fixed") as watched:
        watched.page.keyboard.press("j")
        link, shown = watched.page.url, (number(watched), current(watched))
        assert link.endswith(f"#outcome=fixed&item={shown[0]}")
    with opened(browser, ordinary, link[link.index("#") :]) as watched:
        assert found(watched) == 16
        assert (number(watched), current(watched)) == shown
        box = watched.page.locator("#browser").bounding_box()
        assert box is not None
        assert -5 < box["y"] < 800


def test_the_address_is_unchanged_until_the_reader_chooses_something(browser: Browser, ordinary: Path) -> None:
    with opened(browser, ordinary, "#cost") as watched:
        assert watched.page.url.endswith("report.html#cost")


def test_a_number_of_the_first_screen_leads_to_its_items(seen: Watched) -> None:
    seen.page.click(".jumps a >> text=broken")
    seen.wait("#found", "4 of 40 items")
    assert seen.page.get_attribute("#outcomes button[value=broken]", "aria-pressed") == "true"


@pytest.mark.parametrize(
    "fragment",
    [
        "#item=no",
        "#outcome=nonsense&item=-1",
        "#sort=constructor&measure=__proto__ x 1",
        "#trial=99&contrast=99&item=99999",
        "#%E0%A4%A",
    ],
)
def test_an_invalid_link_breaks_nothing(browser: Browser, ordinary: Path, fragment: str) -> None:
    with opened(browser, ordinary, fragment) as watched:
        assert watched.said == []
        watched.page.keyboard.press("Escape")
        assert found(watched) == 40


@pytest.mark.parametrize(
    ("fragment", "said", "shown"),
    [
        ("#item=99", "no item 99", "40 of"),
        ("#outcome=bogus", "unknown filter bogus", "40 of"),
        ("#outcome=bogus&item=99&sort=up", "unknown filter bogus; unknown order up; no item 99", "40 of"),
        ("#trial=0&contrast=7", "no trial 0; no contrast 7", "40 of"),
        ("#measure=em%20above%20x", "unknown score em above x", "40 of"),
        ("#outcome=broken&item={fixed}", "these filters hide item {fixed}", "4 of"),
    ],
)
def test_a_link_to_a_missing_item_says_so_until_the_reader_chooses(
    browser: Browser, ordinary: Path, fragment: str, said: str, shown: str
) -> None:
    with opened(browser, ordinary, "#outcome=fixed") as watched:
        fixed = watched.page.inner_text("#rows button[aria-current] .id").split()[1]
    with opened(browser, ordinary, fragment.format(fixed=fixed)) as watched:
        asks = f"This link does not match this page: {said.format(fixed=fixed)}."
        assert watched.page.inner_text("#wrong") == asks
        assert watched.page.inner_text("#found").startswith(shown)
        watched.page.keyboard.press("j")
        assert not watched.page.is_visible("#wrong")


def test_a_link_to_an_item_opens_the_one_of_that_number(browser: Browser, ordinary: Path) -> None:
    with opened(browser, ordinary, "#outcome=fixed") as watched:
        last = watched.page.locator("#rows button .id").last.inner_text().split()[1]
    with opened(browser, ordinary, f"#outcome=fixed&item={last}") as watched:
        assert watched.page.inner_text("#rows button[aria-current] .id").split()[1] == last
        assert not watched.page.is_visible("#wrong")


# --- one item ---------------------------------------------------------------------------------------------------------


def test_an_item_has_its_passage_gold_answers_scores_and_the_words_that_differ(seen: Watched) -> None:
    seen.page.fill("#query", "number 1?")
    item = seen.page.inner_text("#item")
    for text in ("What is number 1?", "Gold: answer 1", "control (control.txt)", "treatment (treatment.txt)",
                 "5 tokens in, 3 out", "Exact match 0", "Exact match 1", "fixed"):  # fmt: skip
        assert text in item
    assert seen.page.locator("#item mark").evaluate("each => each.textContent") == "answer 1"
    before, after = seen.page.locator("#item .answer").all()
    assert before.locator("ins, del").count() == 0
    assert without(after, "del") == "answer 1"
    assert without(after, "ins") == without(before, "ins") == "I do not remember what that was"


def without(box: Locator, kind: str) -> str:
    """Return the text of an element without the text of some of its children."""
    text: str = box.evaluate(
        "(box, kind) => { const kept = box.cloneNode(true); kept.querySelectorAll(kind).forEach(each => each.remove());"
        " return kept.textContent }",
        kind,
    )
    return text


# --- print and motion -------------------------------------------------------------------------------------------------


def test_print_holds_verdict_plots_and_items_that_changed_and_nothing_to_press(seen: Watched) -> None:
    seen.page.emulate_media(media="print")
    assert seen.page.is_visible(".verdict")
    assert seen.page.is_visible("figure.wide svg")
    assert not seen.page.is_visible("#browser")
    assert not seen.page.is_visible("nav")
    printed = seen.texts(".printed h3")
    assert len(printed) == 20
    assert [text.split(":")[0] for text in printed] == ["fixed"] * 16 + ["broken"] * 4
    assert seen.page.is_visible(".printed h3 >> nth=0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_printed_pages_are_white_and_nothing_is_cut_off(browser: Browser, ordinary: Path, scheme: str) -> None:
    with opened(browser, ordinary, width=718, color_scheme=scheme) as watched:
        page = watched.page
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") == 718
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        drawn = page.locator("figure.wide svg")
        assert drawn.count() >= 6
        assert all(each.is_visible() for each in drawn.all())
        assert page.locator("figure.narrow svg").first.is_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_no_text_of_a_plot_leaves_it_or_is_smaller_than_eleven_pixels(
    browser: Browser, ordinary: Path, width: int
) -> None:
    with opened(browser, ordinary, width=width) as watched:
        texts = watched.page.evaluate(
            "[...document.querySelectorAll('figure svg')].filter(svg => svg.getBoundingClientRect().width).flatMap(svg "
            "=> { const whole = svg.getBoundingClientRect(); return [...svg.querySelectorAll('text')].map(text => { "
            "const box = text.getBoundingClientRect(); return { said: text.textContent, "
            "size: parseFloat(text.getAttribute('font-size')) * whole.width / svg.viewBox.baseVal.width, "
            "out: Math.max(whole.left - box.left, box.right - whole.right, whole.top - box.top, "
            "box.bottom - whole.bottom) } }) })"
        )
    assert len(texts) > 50
    assert [each for each in texts if each["size"] < 10.9 or each["out"] > 1] == []


def test_on_a_screen_the_items_for_print_are_not_shown(seen: Watched) -> None:
    assert not seen.page.is_visible(".printed")


def test_nothing_moves_for_a_reader_who_wants_no_motion(browser: Browser, ordinary: Path) -> None:
    with opened(browser, ordinary, reduced_motion="reduce") as watched:
        moving = watched.page.evaluate(
            "[...document.querySelectorAll('*')].filter(each => { const style = getComputedStyle(each); return "
            "style.scrollBehavior !== 'auto' || style.animationName !== 'none' || "
            "(style.transitionDuration !== '0s' && style.transitionProperty !== 'none') }).length"
        )
        assert moving == 0


# --- hostile texts ----------------------------------------------------------------------------------------------------


def test_hostile_texts_are_shown_as_they_are_and_do_nothing(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as watched:
        page = watched.page
        title = page.title()
        for _ in ATTACKS:
            attack = ATTACKS[int(current(watched).strip("=<i>"))]
            shown = page.locator("#item .answer").first.evaluate("box => box.textContent")
            assert shown == escaped(attack)
            assert page.locator("#item img, #item script, #item i").count() == 0
            page.keyboard.press("j")
        assert (page.title(), watched.said, watched.asked) == (title, [], [hostile.as_uri()])


def test_no_hostile_character_is_left_in_the_file_or_on_the_page(browser: Browser, hostile: Path) -> None:
    assert not {"\x1b", "\0", "\u202e"} & {*hostile.read_text("utf-8")}
    with opened(browser, hostile) as watched:
        for _ in ATTACKS:
            assert not {"\x1b", "\0", "\u202e"} & {*watched.page.evaluate("document.body.textContent")}
            watched.page.keyboard.press("j")


def test_a_script_that_got_into_the_page_would_not_run(browser: Browser, ordinary: Path, tmp_path: Path) -> None:
    page = tmp_path / "injected.html"
    text = ordinary.read_text("utf-8")
    attack = "<script>document.title = 'stolen'</script><img src=x onerror=alert(1)>"
    page.write_text(text.replace("<main>", f"<main>{attack}"))
    with opened(browser, page) as watched:
        assert watched.page.title() != "stolen"
        assert any("Content Security Policy" in text for text in watched.said)


def test_only_the_beginning_of_a_very_long_text_is_printed(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as watched:
        watched.page.emulate_media(media="print")
        assert max(map(len, watched.texts(".changed p")), default=0) < 2_100

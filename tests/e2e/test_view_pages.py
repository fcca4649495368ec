"""Pages of ``view`` that compare two runs and show items, as a browser without scripts gets them."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import pytest

from promptrial.care.view import item_pages
from tests.e2e.test_arms import THREE
from tests.support.page_reader import ReadPage, read_page
from tests.support.page_runs import small_project
from tests.support.project import Project
from tests.support.viewing import Viewed, viewing


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Runs ``a`` of three arms, ``b`` with another treatment, and ``early``, which has no answers."""
    with small_project(tmp_path_factory.mktemp("pages")) as made:
        made.write_config({"prompt_sets": {"main": THREE}})
        assert made.run(run_id="a").code == 0
        (made.root / "config/treatment.txt").write_text("Think <b>twice</b>.\n")
        assert made.run(run_id="b").code == 0
        assert made.run("--to_step", "build", run_id="early").code == 0
        yield made


@pytest.fixture(scope="module")
def seen(project: Project) -> Iterator[Viewed]:
    with viewing(project.root) as found:
        yield found


def page_of(answer: httpx.Response) -> ReadPage:
    """Return a page whose cells and paragraphs are words apart."""
    return read_page(answer.text.replace("<", " <"))


def text_of(answer: httpx.Response) -> str:
    return page_of(answer).root.text


def tables_of(page: ReadPage, title: str) -> list[list[list[str]]]:
    """Return the cells of all tables of a title."""
    found = [each for each in page.root.every("table") if [head.text for head in each.every("caption")] == [title]]
    return [[[cell.text for cell in row.every("td")] for row in each.every("tr")[1:]] for each in found]


def compared(project: Project, *flags: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(project.call("compare", "a", "b", "--json", *flags).out)
    return document


# --- two runs ---------------------------------------------------------------------------------------------------------


def test_two_runs_are_chosen_in_the_list_and_compared_without_a_script(seen: Viewed) -> None:
    page = read_page(seen.get("/").text)
    form = next(form for form in page.root.every("form") if form.attributes["action"] == "/compare")
    assert form.attributes["method"] == "get"
    choices = {(each.attributes["name"], each.attributes["value"]) for each in form.every("input")}
    assert {(side, run) for side in "ab" for run in ("a", "b", "early")} <= choices
    assert "<script" not in seen.get("/compare?a=a&b=b").text


def test_a_comparison_has_the_sentences_tables_and_differences_that_compare_prints(
    project: Project, seen: Viewed
) -> None:
    document, answer = compared(project), seen.get("/compare?a=a&b=b")
    assert answer.status_code == 200
    text, page = text_of(answer), read_page(answer.text)
    for pair in document["pairs"]:
        for sentence in pair["verdict"]["sentences"]:
            assert sentence in text
    assert document["configuration"]
    for line in document["configuration"][:10]:
        assert " ".join(html.unescape(line).split()) in text
    assert page.titles.count("B minus A, over all items in both runs") == len(document["pairs"]) == 2
    assert len(page.root.every("svg")) == 2 * 2
    for pair, table in zip(document["pairs"], tables_of(page, "B minus A, over all items in both runs"), strict=True):
        (row,) = (
            each for each in pair["significance"]["endpoints"] if (each["metric"], each["scope"]) == ("em", "overall")
        )
        (cells,) = (cells for cells in table if cells[0].lower() == "exact match")
        assert cells[3] == str(row["n_pairs"])
        assert cells[7].startswith(f"{100 * row['difference']:+.1f}".replace("-", "\u2212").replace("+0.0", "0.0"))
    assert "Gates" not in page.titles


def test_gates_are_decided_as_by_compare(project: Project, seen: Viewed) -> None:
    gates = "em >= -0.9; f1 >= 0.9"
    document = compared(project, "--gate", gates, "--arms", "treatment")
    page = page_of(seen.get("/compare?" + urlencode({"a": "a", "b": "b", "gate": gates, "arms": "treatment"})))
    rows = page.table("Gates")
    assert [(row["Gate"], row["Outcome"]) for row in rows] == [
        (gate["gate"], "passed" if gate["passed"] else "failed") for gate in document["gates"]
    ]
    assert {row["Outcome"] for row in rows} == {"passed", "failed"}
    assert "1 of 2 gates failed" in page.root.text


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"a": "a", "b": "early"}, ("a", "early")),
        ({"a": "a", "b": "nowhere"}, ("a", "nowhere")),
        ({"a": "a", "b": "../a"}, ("a", "../a")),
        ({"a": "a", "b": "b", "gate": "em is good"}, ("a", "b", "--gate", "em is good")),
        ({"a": "a", "b": "b", "gate": "nothing >= 0"}, ("a", "b", "--gate", "nothing >= 0")),
        ({"a": "a", "b": "b", "arms": "other"}, ("a", "b", "--arms", "other")),
        ({"a": "a", "b": "b", "trial_a": "x", "trial_b": "y"}, ("a", "b", "--trial_a", "x", "--trial_b", "y")),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_in_the_words_of_compare(
    project: Project, seen: Viewed, values: dict[str, str], flags: tuple[str, ...]
) -> None:
    outcome = project.call("compare", *flags)
    said = outcome.err.splitlines()[0].removeprefix("error: ").removeprefix("--gate: ").split(" in experiments")[0]
    answer = seen.get("/compare?" + urlencode(values))
    assert (outcome.code, answer.status_code) == (2, 400)
    assert " ".join(said.split()) in text_of(answer)


@pytest.mark.parametrize("query", ["", "?a=a", "?a=a&b=b&trial_a=x"])
def test_an_incomplete_comparison_form_says_what_is_missing(seen: Viewed, query: str) -> None:
    answer = seen.get(f"/compare{query}")
    assert answer.status_code == 400
    assert ("give both" if "trial" in query else "choose two runs") in text_of(answer)


def copied(project: Project, run_id: str) -> Path:
    """Return the folder of a copy of run ``b``."""
    folder = project.run_root(run_id)
    shutil.copytree(project.run_root("b"), folder)
    return folder


def test_runs_that_differ_are_compared_only_with_force(project: Project, seen: Viewed) -> None:
    state = copied(project, "dry") / "run_state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"dry_run": True}))
    refused = seen.get("/compare?a=a&b=dry")
    assert refused.status_code == 400
    assert "cannot be compared" in text_of(refused)
    forced = seen.get("/compare?a=a&b=dry&force=1")
    assert forced.status_code == 200
    assert "compared despite a difference (--force): model" in text_of(forced)
    shutil.rmtree(state.parent)


# --- items ------------------------------------------------------------------------------------------------------------


def test_the_chosen_arm_decides_what_counts_as_changed(project: Project, seen: Viewed) -> None:
    chips = {}
    for arm in ("treatment", "short"):
        shown = json.loads(project.call("show", "a", "--arm", arm, "--json").out)
        text = text_of(seen.get(f"/run/a/items?arm={arm}"))
        chips[arm] = text.split("14 items")[0]
        for outcome in ("fixed", "broken", "both_wrong", "both_right"):
            n = sum(each["outcome"] == outcome for each in shown)
            assert (f"{outcome.replace('_', ' ')} {n}" in text) == (n > 0)
    assert chips["treatment"] != chips["short"]


def test_each_item_has_its_own_linked_page(project: Project, seen: Viewed) -> None:
    shown = json.loads(project.call("show", "a", "--json").out)
    links = [each.attributes["href"] for each in read_page(seen.get("/run/a/items?q=rust").text).root.every("a")]
    (link,) = [link for link in links if "item=" in link][:1]
    number = int(link.split("item=")[1])
    text = text_of(seen.get(f"/run/a/items{html.unescape(link)}"))
    assert shown[number - 1]["question"] in text
    assert text.count("Gold:") == 1
    beyond = seen.get("/run/a/items?item=15")
    assert beyond.status_code == 404
    assert "items have numbers from 1 to 14" in text_of(beyond)


def test_pages_follow_one_another_and_keep_the_filter(seen: Viewed, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptrial.care.view import held_items

    monkeypatch.setattr(held_items, "PAGE_ITEMS", 5)
    found, link = list[str](), "?outcome=both_wrong"
    while link:
        answer = seen.get(f"/run/a/items{link}")
        page = read_page(answer.text)
        found += [each.attributes["aria-label"] for each in page.root.every("section", "changed")]
        ahead = [each for each in page.root.every("a") if each.attributes.get("rel") == "next"]
        link = ahead[0].attributes["href"] if ahead else ""
        assert not link or "outcome=both_wrong" in link
    assert len(found) == len({*found}) > 5
    assert f"{len(found)} items" in text_of(answer)


def test_a_long_text_is_cut_in_the_list_and_whole_on_the_page_of_its_item(
    seen: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_pages, "_SHOWN", 5)
    assert "more characters]" in text_of(seen.get("/run/a/items"))
    assert "more characters]" not in text_of(seen.get("/run/a/items?item=1"))


def test_the_accepted_answer_is_marked_in_the_passage_and_tokens_are_named(project: Project, seen: Viewed) -> None:
    page = read_page(seen.get("/run/a/items?q=" + quote_plus("What of bread?")).text)
    shown = json.loads(project.call("show", "a", "--json").out)
    (item,) = [each for each in shown if each["question"] == "What of bread?"]
    assert page.root.every("mark")[0].text == item["gold"][0]
    assert f"{item['arms']['control']['answers'][0]['completion_tokens']} out" in page.root.text


def test_unscored_answers_are_a_page_that_says_how_to_continue(seen: Viewed) -> None:
    answer = seen.get("/run/early/items")
    assert answer.status_code == 404
    assert "are not scored yet" in text_of(answer)
    assert "--run_id early" in text_of(answer)


def test_items_are_read_again_after_their_scores_change(project: Project, seen: Viewed) -> None:
    folder = copied(project, "again")
    scores = next(folder.glob("*/results/per_item_scores.parquet"))
    before = text_of(seen.get("/run/again/items"))
    whole = scores.read_bytes()
    scores.write_bytes(whole[:1000])
    torn = seen.get("/run/again/items")
    assert torn.status_code == 500
    assert "per_item_scores.parquet damaged" in text_of(torn)
    scores.unlink()
    gone = seen.get("/run/again/items")
    assert gone.status_code == 500
    assert "per_item_scores.parquet missing" in text_of(gone)
    scores.write_bytes(whole)
    assert text_of(seen.get("/run/again/items")) == before
    shutil.rmtree(folder)

"""Question files in the official formats become items, in full: made-up files always, real ones where they are."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Reading
from promptrial.datasets.clusters import cluster_id
from promptrial.errors import ConfigError
from promptrial.model import Item
from tests.support.questions import made_up_file, real_file

TRIVIA = {
    "Data": [
        {
            "Answer": {
                "Aliases": ["Beatles", "The Fab Four"],
                "HumanAnswers": ["The Beatles (band)"],
                "NormalizedAliases": ["beatles", "silver beatles"],
                "Value": "The Beatles",
            },
            "Question": "Who recorded Abbey Road?",
            "QuestionId": "tc_1",
        }
    ]
}


def official(name: str) -> DatasetFormat:
    entry = registry.load("dataset format", name)
    assert isinstance(entry, DatasetFormat)
    return entry


def squad(*questions: dict[str, object], context: str = "Oslo is in Norway.") -> str:
    return json.dumps(
        {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"qas": questions, "context": context}]}]}
    )


def read(name: str, path: Path, text: str, dataset: str = "mine") -> list[Item]:
    path.write_text(text, encoding="utf-8")
    return list(official(name).read(path, dataset))


@pytest.mark.parametrize("name", registry.DATASETS)
def test_every_registered_format_carries_its_own_name(name: str) -> None:
    assert official(name).name == name


def test_an_unknown_format_is_refused_with_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="did you mean 'squad_v2'"):
        registry.load("dataset format", "squad_v3")


def test_squad_answers_are_kept_once_and_in_order_and_the_users_name_is_used(tmp_path: Path) -> None:
    answers = [{"text": text, "answer_start": 0} for text in ("Norway", "in Norway", "Norway")]
    (item,) = read("squad_v2", tmp_path / "s.json", squad({"id": "a", "question": "Where?", "answers": answers}))
    assert item == Item(
        id="a", dataset="mine", question="Where?", answers=("Norway", "in Norway"), context="Oslo is in Norway."
    )
    assert item.type == "open"


def test_a_squad_question_marked_impossible_has_no_answers_even_if_plausible_ones_are_given(tmp_path: Path) -> None:
    question: dict[str, object] = {"id": "a", "question": "Why?", "answers": [], "is_impossible": True}
    question["plausible_answers"] = [{"text": "Oslo", "answer_start": 0}]
    (item,) = read("squad_v2", tmp_path / "s.json", squad(question))
    assert item.is_unanswerable
    assert item.answers == ()


def test_a_squad_v1_file_without_is_impossible_is_answerable(tmp_path: Path) -> None:
    question: dict[str, object] = {"id": "a", "question": "Where?", "answers": [{"text": "Norway", "answer_start": 11}]}
    (item,) = read("squad_v2", tmp_path / "s.json", squad(question))
    assert not item.is_unanswerable


SQUAD_QUESTION = '{"id": "a", "question": "Where?", "answers": [{"text": "Norway", "answer_start": 0}]%s}'


@pytest.mark.parametrize(
    ("version", "question", "rules"),
    [
        ('"version": "1.1", ', "", "squad_v1"),
        ('"version": 1.1, ', "", "squad_v1"),
        ("", "", "squad_v1"),
        ('"version": "v2.0", ', "", None),
        ('"version" : "2.0", ', "", None),
        ('"version": "1.1", ', ', "is_impossible" : false', None),
        ("", ', "plausible": "a \\"is_impossible\\": b"', "squad_v1"),
    ],
)
def test_the_version_of_a_squad_file_decides_its_scoring(
    tmp_path: Path, version: str, question: str, rules: str | None
) -> None:
    path = tmp_path / "s.json"
    paragraph = f'{{"context": "Norway", "qas": [{SQUAD_QUESTION % question}]}}'
    path.write_text(f'{{{version}"data": [{{"title": "t", "paragraphs": [{paragraph}]}}]}}')
    assert official("squad_v2").rules([path], Reading()) == rules
    assert official("nq_open").rules([path], Reading()) is None


def test_a_key_is_found_across_the_chunks_in_which_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptrial.datasets.encodings._CHUNK", 70)
    path = tmp_path / "s.json"
    for padding in range(80):
        path.write_text(" " * padding + '{"data": [], "is_impossible": false}' + " " * 100)
        assert official("squad_v2").rules([path], Reading()) is None


def test_nq_ids_depend_only_on_the_question(tmp_path: Path) -> None:
    rows = [{"question": "who a", "answer": ["x", "y", "x"]}, {"question": "who b", "answer": ["z"]}]
    lines = [json.dumps(row) for row in rows]
    forward = read("nq_open", tmp_path / "f.jsonl", "\n".join(lines) + "\n\n")
    backward = read("nq_open", tmp_path / "b.jsonl", "\n".join(reversed(lines)))
    assert forward == backward[::-1]
    assert forward[0].id == "nq_909d90b50efda60a"
    assert forward[0].answers == ("x", "y")
    assert forward[0].type == "closed"


def test_triviaqa_gives_readable_answers_first_and_only_those_that_the_official_evaluation_accepts(
    tmp_path: Path,
) -> None:
    (item,) = read("triviaqa", tmp_path / "t.json", json.dumps(TRIVIA))
    # "The Fab Four" stands for no normalised alias; "silver beatles" has no readable form
    assert item.answers == ("The Beatles", "Beatles", "The Beatles (band)", "silver beatles")
    assert item.context is None


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert len(read("triviaqa", tmp_path / "t.json", "\ufeff" + json.dumps(TRIVIA))) == 1
    assert len(read("nq_open", tmp_path / "n.jsonl", '\ufeff{"question": "q", "answer": ["a"]}')) == 1


def test_items_of_one_passage_share_a_cluster_and_others_do_not() -> None:
    def item(item_id: str, dataset: str = "d", context: str | None = None, cluster: str | None = None) -> Item:
        return Item(id=item_id, dataset=dataset, question="q", answers=("a",), context=context, cluster=cluster)

    assert cluster_id(item("1", context="P")) == cluster_id(item("2", context="P")) == "p5fe467bc41ea0304"
    others = [
        item("1", context="P"),
        item("1", context="Q"),
        item("1", dataset="e", context="P"),
        item("1"),
        item("2"),
        item("3", cluster="1"),
        item("4", dataset="e", cluster="1"),
    ]
    assert len({cluster_id(other) for other in others}) == len(others)
    assert cluster_id(item("3", context="P", cluster="c")) == cluster_id(item("4", context="Q", cluster="c")) == "d#c"


@pytest.mark.parametrize(("find", "sizes"), [(made_up_file, (72, 32)), (real_file, (706, 320))])
def test_two_squad_articles_are_read_in_full(find: Callable[[str], Path], sizes: tuple[int, int]) -> None:
    path = find("squad_v2")
    items = list(official("squad_v2").read(path, "squad_v2"))
    source = json.loads(path.read_bytes())
    paragraphs = [paragraph for article in source["data"] for paragraph in article["paragraphs"]]
    expected = {
        qa["id"]: (qa["question"], {a["text"] for a in qa["answers"]}, paragraph["context"], qa["is_impossible"])
        for paragraph in paragraphs
        for qa in paragraph["qas"]
    }
    assert (len(items), sum(item.is_unanswerable for item in items)) == sizes
    assert {i.id: (i.question, set(i.answers), i.context, i.is_unanswerable) for i in items} == expected
    assert len({cluster_id(item) for item in items}) == len({paragraph["context"] for paragraph in paragraphs})


@pytest.mark.parametrize(("find", "size"), [(made_up_file, 150), (real_file, 1500)])
def test_nq_rows_are_read_in_full_and_have_no_repeated_question(find: Callable[[str], Path], size: int) -> None:
    path = find("nq_open")
    items = list(official("nq_open").read(path, "nq_open"))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(items) == len({item.id for item in items}) == size
    assert [(item.question, list(item.answers)) for item in items] == [(row["question"], row["answer"]) for row in rows]
    assert Counter(item.type for item in items) == {"closed": size}


def test_the_official_triviaqa_sample_is_read_with_its_readable_aliases() -> None:
    (item,) = official("triviaqa").read(real_file("triviaqa"), "triviaqa")
    assert item.id == "tc_33"
    assert item.answers == (
        "Sunset Boulevard",
        "Sunset Blvd",
        "West Sunset Boulevard",
        "Sunset Bulevard",
        "Sunset Blvd.",
    )


def test_importing_the_readers_and_the_hub_loads_no_heavy_library() -> None:
    modules = ["squad_v2", "nq_open", "triviaqa", "custom", "sampling", "hub"]
    program = "import importlib, sys\n" + "\n".join(
        f"importlib.import_module('promptrial.datasets.{module}')" for module in modules
    )
    program += "\nprint(sorted({'httpx', 'pyarrow', 'numpy', 'scipy', 'pydantic'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"

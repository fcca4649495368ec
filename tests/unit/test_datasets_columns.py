"""Which column of a table holds what, and what becomes of its cells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from promptrial import registry
from promptrial.config.datasets import DatasetConfig
from promptrial.datasets.base import Reading, reading_of
from promptrial.datasets.clusters import cluster_id
from promptrial.datasets.columns import Columns, match_columns
from promptrial.datasets.custom import FORMAT
from promptrial.datasets.place import Place
from promptrial.errors import DataError
from promptrial.model import Item, Message
from promptrial.scoring.golds import GoldCheck
from promptrial.scoring.normalize import rules_for
from tests.support.workbooks import workbook_of

CASES = Path(__file__).parents[1] / "data" / "questions" / "cases"
HERE = Place(Path("FILE"), 1)


def read(path: Path, reading: Reading | None = None) -> tuple[list[Item], list[str]]:
    said: list[str] = []
    reading = (reading or Reading())._replace(note=said.append, say=said.append)
    return list(FORMAT.read(path, "mine", reading=reading)), said


def written(path: Path, text: str, reading: Reading | None = None) -> tuple[list[Item], list[str]]:
    path.write_text(text)
    return read(path, reading)


def refused(path: Path, text: str, reading: Reading | None = None) -> str:
    with pytest.raises(DataError) as caught:
        written(path, text, reading)
    assert "docs/questions.md#" in str(caught.value.hint)
    return caught.value.message.replace(str(path), "FILE")


# --- the cases that failed before -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "questions", "words"),
    [
        (
            "answer_column.csv",
            [("Which metal is liquid at room temperature?", "mercury"), ("How many legs has a spider?", "8")],
            "comma-separated",
        ),
        (
            "semicolon.csv",
            [("Which metal is liquid at room temperature?", "mercury"), ("How many legs has a spider; exactly?", "8")],
            "semicolon-separated",
        ),
        ("plain.tsv", [("Which metal is liquid at room temperature?", "mercury")], "tab-separated"),
        ("excel_utf16.csv", [("Welches Metall ist fl\u00fcssig?", "Quecksilber")], "tab-separated, UTF-16"),
        (
            "number_answers.jsonl",
            [("How many legs has a spider?", "8"), ("Is water wet?", "true")],
            "JSON objects, one per line",
        ),
        ("wrapped.json", [("How many legs has a spider?", "8")], "rows in a JSON object"),
        (
            "worked_answers.jsonl",
            [
                (
                    "A mill grinds 12 sacks in 3 hours. How many in 5?",
                    "12 / 3 = 4 an hour, and 4 * 5 = 20.\n#### 20",
                )
            ],
            "JSON objects, one per line",
        ),
    ],
)
def test_a_plain_table_is_read_by_well_known_names_and_reports_what_was_recognised(
    name: str, questions: list[tuple[str, str]], words: str
) -> None:
    items, said = read(CASES / name)
    assert [(item.question, *item.answers) for item in items] == questions
    assert said[0] == f"read as {words}"
    assert said[1].startswith("columns: question from ")


def test_headers_match_in_any_case_and_the_category_is_kept() -> None:
    items, said = read(CASES / "capitalised.csv")
    assert [item.extra for item in items] == [{"category": "chemistry"}, {"category": "biology"}]
    assert said[1] == "columns: question from 'Question', answers from 'Answer', category from 'Category'"


def test_empty_rows_and_columns_are_skipped_and_rows_are_counted() -> None:
    items, said = read(CASES / "empty_rows.csv")
    assert [item.answers for item in items] == [("mercury",)]
    assert said[-1] == "1 empty row skipped"


def test_integer_ids_are_texts() -> None:
    assert [item.id for item in read(CASES / "integer_ids.jsonl")[0]] == ["1", "2"]


def test_several_answers_can_be_a_list() -> None:
    assert [item.answers for item in read(CASES / "array.json")[0]] == [("8",), ("mercury", "quicksilver")]


def test_the_number_and_the_letter_of_a_choice_mean_the_same() -> None:
    (by_number,), said = read(CASES / "choices.jsonl")
    (by_letter,), said_of_letters = read(CASES / "letters.csv")
    assert by_number.answers == by_letter.answers == ("8",)
    assert by_number.choices == ("6", "8", "10")
    assert by_letter.choices == ("6", "8", "10", "12")
    assert said[-1] == "the answers hold the number of the right choice, counted from 0"
    assert said_of_letters[-1] == "the answers hold the letter of the right choice"


def test_an_empty_gold_of_an_impossible_question_is_unanswerable_and_a_column_can_be_the_cluster() -> None:
    reading = Reading(columns={"cluster": "doc"})
    first, second = read(CASES / "context_rows.jsonl", reading)[0]
    assert (first.answers, first.is_unanswerable, second.answers, second.is_unanswerable) == (
        ("1822",),
        False,
        (),
        True,
    )
    assert cluster_id(first) == cluster_id(second) == "mine#mill"


def test_items_without_gold_load_and_are_reported() -> None:
    items, said = read(CASES / "no_gold.jsonl")
    assert [item.has_gold for item in items] == [False, False]
    assert said[-1] == "no column holds accepted answers; the questions have no gold answers"


def test_golds_that_read_as_refusals_are_named_with_file_and_line() -> None:
    path = CASES / "refusal_as_gold.jsonl"
    check = GoldCheck()
    items = list(FORMAT.read(path, "mine", check.notice))
    warned = list(check.warnings("mine", items, rules_for("custom", None, None)))
    assert warned[0].startswith(f"{path}:1: id ")
    assert warned[1].startswith(f"{path}:2: id ")
    assert all("set is_unanswerable and leave the answers empty" in sentence for sentence in warned)


def test_a_script_without_spaces_is_read() -> None:
    (item,), _ = read(CASES / "no_spaces.jsonl")
    assert item.answers[0] in str(item.context)


@pytest.mark.parametrize(
    ("name", "problem", "fix"),
    [
        ("twice_the_key.jsonl", ":1: the key 'answers' occurs twice in one object", "keep one of the two"),
        ("trailing_comma.jsonl", ":1: not valid JSON: a comma after the end of the object", "remove the comma"),
    ],
)
def test_a_json_syntax_error_is_refused_with_line_and_fix(name: str, problem: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        read(CASES / name)
    assert caught.value.message == f"{CASES / name}{problem}"
    assert fix in str(caught.value.hint)


# --- names ------------------------------------------------------------------------------------------------------------


def test_the_first_of_several_well_known_names_is_used_and_the_others_are_kept_and_named() -> None:
    found = match_columns(HERE, ["label", "input", "Target", "Prompt", "topic", "n"], {})
    assert found == Columns(question="Prompt", answers=("Target",), category="topic", others=("label", "input", "n"))
    assert found.sentences[1] == "kept with the question: 'label', 'input', 'n'"


def test_a_configured_column_wins_over_a_well_known_name_and_is_found_in_any_case() -> None:
    found = match_columns(
        HERE, ["Question", "Text", "answer", "alias"], {"question": "text", "answers": ("answer", "alias")}
    )
    assert found == Columns(question="Text", answers=("answer", "alias"), others=("Question",))
    assert found.given == {"question": "Text", "answers": ("answer", "alias")}


def test_recognised_columns_can_be_written_as_a_configuration_that_matches_the_same() -> None:
    names = ["Query", "A", "B", "correct", "QID", "Passage", "extra"]
    found = match_columns(HERE, names, {})
    assert found.choices == ("A", "B")
    assert match_columns(HERE, names, found.given) == found


@pytest.mark.parametrize(
    ("names", "given", "problem"),
    [
        (["q", "answer"], {}, "no column holds the question; the columns are 'q', 'answer'"),
        (
            ["Question", "question"],
            {},
            "two columns have the same name except for case and spaces: 'Question' and 'question'",
        ),
        (["question", "n", "N "], {}, "two columns have the same name except for case and spaces: 'n' and 'N '"),
        (["question", "answr"], {}, "unknown column 'answr'; did you mean 'answer'?"),
        (["text"], {"question": "txt"}, "no column 'txt', which `columns.question` names; the columns are 'text'"),
        (["t"], {"question": "t", "answers": "T"}, "`columns` names 't' twice: as question and as answers"),
        (
            ["question", "ground truth", "ground_truth"],
            {},
            (
                "the columns 'ground truth', 'ground_truth' have the same name except for case, spaces, _ and -, and "
                "only one can be used"
            ),
        ),
        (
            ["question", "my-gold", "my gold"],
            {"answers": "My_Gold"},
            (
                "the columns 'my-gold', 'my gold' have the same name except for case, spaces, _ and -, and only one "
                "can be used"
            ),
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    names: list[str], given: dict[str, str | tuple[str, ...]], problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        match_columns(HERE, names, given)
    assert caught.value.message == f"FILE:1: {problem}"
    assert "docs/questions.md#columns" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["ground truth", "ground_truth", "ground-truth"])
def test_among_columns_with_similar_names_the_exact_name_is_used(name: str) -> None:
    names = ["question", "ground truth", "ground_truth", "ground-truth"]
    found = match_columns(HERE, names, {"answers": name})
    assert found.answers == (name,)
    assert set(found.others) == set(names) - {"question", name}


def test_columns_with_similar_names_and_no_role_are_both_kept() -> None:
    found = match_columns(HERE, ["question", "answer", "source url", "source_url"], {})
    assert found.others == ("source url", "source_url")


def test_the_configured_category_wins_over_a_column_called_category_which_is_kept_under_another_name(
    tmp_path: Path,
) -> None:
    text = "question,answer,category,topic,category_2\nQ?,x,old,new,third\n"
    (item,), said = written(tmp_path / "q.csv", text, Reading(columns={"category": "topic"}))
    assert item.extra == {"category": "new", "category_3": "old", "category_2": "third"}
    assert "column 'category' is kept as 'category_3', because 'topic' is the category" in said


def test_a_json_column_that_first_appears_late_is_read_from_there(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{number}?"} for number in range(150)]
    late = {"prompt": "Q?", "is_impossible": True, "note": "n"}
    items, _ = written(tmp_path / "q.jsonl", "\n".join(map(json.dumps, [*rows, late])))
    assert items[-1].is_unanswerable
    assert items[-1].extra == {"note": "n"}


# --- files of earlier versions ----------------------------------------------------------------------------------------


def test_a_file_that_earlier_versions_read_gives_the_items_that_they_made(tmp_path: Path) -> None:
    text = "id,question,answers,passage,answer,Question\na, Q? , x | y ,P,z,Other\n"
    (item,), said = written(tmp_path / "q.csv", text)
    assert item == Item(id="a", dataset="mine", question=" Q? ", answers=("x", "y"))
    assert len(said) == 1
    assert said[0].endswith("not used: 'passage', 'answer', 'Question'")
    (item,), _ = written(tmp_path / "q.csv", text, Reading(keep=frozenset({"passage"})))
    assert item.extra == {"passage": "P"}


def test_a_file_that_earlier_versions_refused_is_read_by_well_known_names(tmp_path: Path) -> None:
    row = {"id": "a", "question": "Q?", "expected": "x", "choices": ["x", "y"], "topic": "t"}
    (item,), said = written(tmp_path / "q.jsonl", json.dumps(row))
    assert (item.id, item.answers, item.choices, item.extra) == ("a", ("x",), ("x", "y"), {"category": "t"})
    assert "answers from 'expected'" in said[1]
    rows = [{"id": "a", "question": "Q?", "is_unanswerable": True}, row | {"id": "b", "is_unanswerable": False}]
    items, _ = written(tmp_path / "q.jsonl", "\n".join(map(json.dumps, rows)))
    assert [item.answers for item in items] == [(), ("x",)]


def test_unanswerable_questions_of_json_without_answers_are_read_as_earlier_versions_did(tmp_path: Path) -> None:
    row = {"id": "a", "question": "Q?", "is_unanswerable": True, "expected": "x"}
    (item,), said = written(tmp_path / "q.jsonl", json.dumps(row))
    assert item == Item(id="a", dataset="mine", question="Q?", answers=(), is_unanswerable=True)
    assert said[0].endswith("not used: 'expected'")


def test_spaces_around_answers_in_json_stay_in_a_file_that_earlier_versions_read(tmp_path: Path) -> None:
    (item,), _ = written(tmp_path / "q.jsonl", '{"id": "a", "question": "Q?", "answers": [" x|y "]}')
    assert item.answers == (" x|y ",)


# --- cells ------------------------------------------------------------------------------------------------------------


def test_a_table_with_endless_new_columns_is_refused_quickly(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "answer": "a", f"k{n}": 1} for n in range(1100)]
    path = tmp_path / "q.jsonl"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert len(written(path, text)[0]) == 1100
    assert refused(path, text + '{"question": "Q", "answer": "a", "late": 1}\n') == (
        "FILE:1101: more than 1,000 columns appear after the first 100 rows, such as 'late'"
    )


@pytest.mark.parametrize(
    ("column", "answer", "separator", "said"),
    [
        ("answer", "mercury|quicksilver", None, True),
        ("answer", "mercury | quicksilver", None, True),
        ("answer", "|x|", None, False),
        ("answer", "a || b", None, False),
        ("answer", "mercury|quicksilver", "|", False),
        ("answer", "mercury|quicksilver", ";", False),
        ("answers", "mercury|quicksilver", None, False),
        ("answer", "mercury;quicksilver", None, True),
        ("answer", "mercury; quicksilver", None, True),
        ("answers", "mercury; quicksilver", None, True),
        ("answer", "mercury;", None, False),
        ("answer", "mercury; quicksilver", ";", False),
    ],
)
def test_a_separator_between_unsplit_answers_is_reported_with_what_to_write(
    column: str, answer: str, separator: str | None, tmp_path: Path, *, said: bool
) -> None:
    _, remarks = written(
        tmp_path / "q.csv", f"question,{column}\nQ?,{answer}\nP?,{answer}\n", Reading(separator=separator)
    )
    sign = ";" if ";" in answer else "|"
    note = (
        f"""column {column!r}: some answers hold "{sign}", and each cell is read as one answer; """
        f"""if it separates several answers, write `separator: "{sign}"` under `datasets.mine`"""
    )
    assert (note in remarks) is said
    assert said or not any("some answers hold" in remark for remark in remarks)


def test_a_semicolon_in_only_one_cell_can_belong_to_the_answer(tmp_path: Path) -> None:
    _, remarks = written(tmp_path / "q.csv", "question,answer\nQ?,stop; go\nP?,yes\n")
    assert not any("some answers hold" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("answer", "sign"),
    [("mercury|quicksilver", "|"), ("mercury; quicksilver", ";"), ("mercury", None), ("a || b", None)],
)
@pytest.mark.parametrize("name", ["q.jsonl", "q.json", "q.yaml"])
def test_a_separator_between_answers_is_reported_in_other_kinds_of_files_too(
    name: str, answer: str, sign: str | None, tmp_path: Path
) -> None:
    rows = [json.dumps({"question": question, "answers": answer}) for question in ("Q?", "P?")]
    text = (
        f"[{', '.join(rows)}]" if name == "q.json" else "".join(f"{'- ' * (name == 'q.yaml')}{row}\n" for row in rows)
    )
    items, remarks = written(tmp_path / name, text)
    assert [item.answers for item in items] == [(answer,), (answer,)]
    note = (
        f"""column 'answers': some answers hold "{sign}", and each text is read as one answer; """
        f"""if it separates several answers, write `separator: "{sign}"` under `datasets.mine`"""
    )
    assert [remark for remark in remarks if "some answers" in remark] == ([note] if sign else [])


def test_a_separator_splits_texts_of_json(tmp_path: Path) -> None:
    text = json.dumps({"question": "Q?", "answers": "mercury|quicksilver"})
    (item,), remarks = written(tmp_path / "q.jsonl", text, Reading(separator="|"))
    assert item.answers == ("mercury", "quicksilver")
    assert not any("some answers" in remark for remark in remarks)


LISTS = [
    ('["mercury", "quicksilver"]', True),
    ("['mercury', 'quicksilver']", True),
    ("['mercury' 'quicksilver']\n", True),
    ("['mercury|hydrargyrum']", True),
    ("('mercury', \"quicksilver's\")", True),
    ("('mercury',)", True),
    ("[citation needed]", False),
    ("[0, 1]", False),
    ("('Hamlet')", False),
    ("'a' and ['b']", False),
]


@pytest.mark.parametrize(("answer", "said"), LISTS)
def test_a_text_that_looks_like_a_list_is_reported(answer: str, tmp_path: Path, *, said: bool) -> None:
    row = json.dumps({"question": "Q?", "answers": answer})
    (item,), remarks = written(tmp_path / "q.jsonl", row)
    assert item.answers == (answer.strip(),)
    note = (
        "column 'answers': some answers look like a list, and each text is read as one answer; if they are several "
        "answers, write a list instead of a text"
    )
    assert [remark for remark in remarks if "some answers" in remark] == ([note] if said else [])
    cell = answer.replace('"', '""')
    _, remarks = written(tmp_path / "q.csv", f'question,answer\nQ?,"{cell}"\n')
    note = (
        "column 'answer': some answers look like a list, and each cell is read as one answer; if they are several "
        'answers, rename the column to `answers` and write them as ["first", "second"]'
    )
    assert [remark for remark in remarks if "some answers" in remark] == ([note] if said else [])


def test_a_column_of_one_answer_is_not_split_unless_a_separator_is_given(tmp_path: Path) -> None:
    text = "question,answer\nQ?,a | b; c\n"
    assert written(tmp_path / "q.csv", text)[0][0].answers == ("a | b; c",)
    assert written(tmp_path / "q.csv", text, Reading(separator=";"))[0][0].answers == ("a | b", "c")


def test_a_column_called_answers_is_split_at_bars_or_holds_a_json_list(tmp_path: Path) -> None:
    items, _ = written(tmp_path / "q.csv", 'question,answers\nQ1?,a | b\nQ2?,"[""x|y"", 8, 8.0, true]"\n')
    assert [item.answers for item in items] == [("a", "b"), ("x|y", "8", "true")]


def test_numbers_and_booleans_become_text_by_one_rule(tmp_path: Path) -> None:
    values = [8, 8.0, 0.1, 1e300, True, False, "8.0", 12345678901234567890]
    items, _ = written(
        tmp_path / "q.json", json.dumps([{"question": f"{n}?", "answer": v} for n, v in enumerate(values)])
    )
    assert [item.answers[0] for item in items] == [
        "8", "8", "0.1", "1e+300", "true", "false", "8.0", "12345678901234567890",
    ]  # fmt: skip


def test_turns_before_the_question_and_other_columns_are_kept(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    row = {"question": "Q?", "messages": turns, "level": 3, "tags": ["a", {"b": None}], "none": None}
    (item,), _ = written(tmp_path / "q.jsonl", json.dumps(row))
    assert item.messages == (Message("user", "Hi"), Message("assistant", "Hello"))
    assert item.extra == {"level": "3", "tags": '["a",{"b":null}]'}
    message = refused(tmp_path / "q.jsonl", '{"question": "Q?", "messages": [{"role": "user"}]}')
    assert message.startswith("FILE:1: column 'messages' does not hold the turns of a conversation")


def test_a_value_too_long_to_keep_is_left_out_and_reported(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": "x", "long": "y" * n} for n in (65_536, 65_537, 65_538)]
    items, said = written(tmp_path / "q.json", json.dumps(rows))
    assert [len(item.extra.get("long", "")) for item in items] == [65_536, 0, 0]
    assert said[-1] == "column 'long': values longer than 65,536 characters are not kept"


def test_an_id_from_the_content_does_not_change_with_the_gold_or_the_order(tmp_path: Path) -> None:
    one, two = {"question": "Q?", "answer": "x"}, {"question": "Q?", "answer": "y", "context": "C"}
    first, _ = written(tmp_path / "q.jsonl", json.dumps(one) + "\n" + json.dumps(two))
    again, _ = written(tmp_path / "q.jsonl", json.dumps(two | {"answer": "new"}) + "\n" + json.dumps(one))
    assert [item.id for item in first] == [item.id for item in reversed(again)]
    assert first[0].id == "q415c44560bd865e2"
    assert len({item.id for item in first}) == 2


def test_a_duplicate_question_is_named_with_both_lines(tmp_path: Path) -> None:
    message = refused(tmp_path / "q.csv", "question,answer\nQ?,x\nR?,x\nQ?,y\n")
    assert message == "FILE:4: the same question as at FILE:2; its id is derived from the content"


# --- choices ----------------------------------------------------------------------------------------------------------


def choices(path: Path, *rows: tuple[list[object], object]) -> tuple[list[tuple[str, ...]], str]:
    lines = [
        json.dumps({"question": f"{n}?", "choices": texts, "answer": answer}) for n, (texts, answer) in enumerate(rows)
    ]
    items, said = written(path, "\n".join(lines))
    return [item.answers for item in items], said[-1]


def test_how_answers_name_their_choices_is_decided_for_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    texts = "the answers hold the text of the right choice"
    assert choices(path, (["6", "8"], "8"), (["1", "2"], "1")) == ([("8",), ("1",)], texts)
    assert choices(path, ([6, 8], 8), ([1, 2], 1)) == ([("8",), ("1",)], texts)
    assert choices(path, (["x", "y"], "(B)"), (["x", "y"], "a.")) == (
        [("y",), ("x",)],
        "the answers hold the letter of the right choice",
    )
    numbers = "the answers hold the number of the right choice, counted from"
    assert choices(path, (["8", "2", "24"], 2), (["a", "b"], 1)) == ([("24",), ("b",)], f"{numbers} 0")
    assert choices(path, (["a", "b"], "1"), (["a", "b", "c"], "3")) == ([("a",), ("c",)], f"{numbers} 1")
    assert choices(path, (["a", "b"], ["A", "B"]), (["a", "b"], None))[0] == [("a", "b"), ()]


def test_an_answer_that_names_no_choice_is_refused_with_the_notation_of_the_file(tmp_path: Path) -> None:
    rows = "".join(f'{{"question": "{n}?", "choices": ["a", "b"], "answer": "{n % 2}"}}\n' for n in range(6))
    message = refused(tmp_path / "q.jsonl", rows + '{"question": "Q?", "choices": ["a", "b"], "answer": "5"}')
    assert message == (
        "FILE:7: the answer '5' is not one of the 2 choices; in this file the answers hold the number of the right "
        "choice, counted from 0"
    )


def test_choices_can_be_in_one_cell_or_in_lettered_columns(tmp_path: Path) -> None:
    items, _ = written(tmp_path / "q.csv", "question,options,answer\nQ?,x | y | z,C\n")
    assert (items[0].choices, items[0].answers) == (("x", "y", "z"), ("z",))
    items, _ = written(tmp_path / "q.csv", "question,Option A,Option B,Option C,answer\nQ?,x,y,,B\n")
    assert (items[0].choices, items[0].answers) == (("x", "y"), ("y",))


def test_letters_are_those_of_the_columns_so_an_empty_one_between_choices_is_refused(tmp_path: Path) -> None:
    text = "question,A,B,C,D,answer\nQ1?,x,w,y,z,D\nQ2?,x, ,y,z,C\n"
    message = refused(tmp_path / "q.csv", text)
    assert message == "FILE:3: column 'B' has no choice, but 'D' after it has one"
    row = {"question": "Q?", "option_a": None, "option_b": "x", "option_c": "y", "answer": "B"}
    message = refused(tmp_path / "q.jsonl", json.dumps(row))
    assert message == "FILE:1: column 'option_a' has no choice, but 'option_c' after it has one"


def test_empty_choices_at_the_end_are_left_out(tmp_path: Path) -> None:
    (item,), _ = written(tmp_path / "q.csv", "question,A,B,C,D,answer\nQ?,x,y, ,,B\n")
    assert (item.choices, item.answers) == (("x", "y"), ("y",))


_NUMBERED = "the answers hold the number of the right choice, counted from"


def numbered(*answers: object) -> str:
    rows = [{"question": f"{n}?", "choices": [*"abcd"], "answer": answer} for n, answer in enumerate(answers)]
    return "\n".join(map(json.dumps, rows))


def test_a_json_number_is_an_index_from_0_whatever_other_rows_hold(tmp_path: Path) -> None:
    items, said = written(tmp_path / "q.jsonl", numbered(1, 2, 3, 2))
    assert ([item.answers[0] for item in items], said[-1]) == ([*"bcdc"], f"{_NUMBERED} 0")
    message = refused(tmp_path / "q.jsonl", numbered(1, 2, 3, 4))
    assert message == f"FILE:4: the answer '4' is not one of the 4 choices; in this file {_NUMBERED} 0"
    with pytest.raises(DataError) as caught:
        read(tmp_path / "q.jsonl")
    assert "if they count from 1, write `first_choice: 1`" in str(caught.value.hint)


@pytest.mark.parametrize("first", [0, 1])
def test_ambiguous_choice_numbers_from_0_or_1_are_refused_until_configured(tmp_path: Path, first: int) -> None:
    texts = {
        "q.csv": "question,options,answer\n0?,a|b|c|d,1\n1?,a|b|c|d,2\n2?,a|b|c|d,3\n",
        "q.jsonl": numbered("1", "2", "3"),
    }
    for name, text in texts.items():
        message = refused(tmp_path / name, text)
        assert message.startswith(f"FILE:{2 if name == 'q.csv' else 1}: the answers are numbers of choices, which may")
        items, said = written(tmp_path / name, text, Reading(first_choice=first))
        assert [item.answers[0] for item in items] == [*"bcd"] if first == 0 else [*"abc"]
        assert said[-1] == f"{_NUMBERED} {first}"


def test_numbers_in_excel_are_not_indices_just_as_in_csv(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "A": "a", "B": "b", "C": "c", "answer": n} for n in (1, 2, 3)]
    path = tmp_path / "q.xlsx"
    path.write_bytes(workbook_of(rows[:2]))
    with pytest.raises(DataError, match="may count from 0 or from 1"):
        read(path)
    path.write_bytes(workbook_of(rows))
    assert [item.answers[0] for item in read(path)[0]] == ["a", "b", "c"]


def test_the_configured_first_choice_makes_answers_numbers_and_a_known_layout_refuses_it(tmp_path: Path) -> None:
    (item,), _ = written(
        tmp_path / "q.jsonl",
        '{"question": "Q?", "choices": ["2", "1"], "answer": "1"}',
        Reading(first_choice=1),
    )
    assert item.answers == ("2",)
    (tmp_path / "p.jsonl").write_text('{"goal": "G", "sol1": "a", "sol2": "b", "label": 1}')
    with pytest.raises(DataError, match="does not use `first_choice`"):
        list(
            registry.load("dataset format", "piqa").read(tmp_path / "p.jsonl", "mine", reading=Reading(first_choice=0))
        )


def test_choices_that_first_appear_late_are_named_as_usual(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": "a"} for n in range(120)]
    late = {"question": "Q?", "choices": ["x", "y"], "answer": "B"}
    items, said = written(tmp_path / "q.jsonl", "\n".join(map(json.dumps, [*rows, late])))
    assert (items[-1].answers, items[0].answers) == (("y",), ("a",))
    assert said[-1] == "the answers hold the letter of the right choice"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,question,answer\n ,Q?,x\n", "FILE:2: the id is empty, or begins or ends with a space: ' '"),
        ("id,question,answer\na,Q?,x\na,R?,x\n", "FILE:3: duplicate id 'a', first at FILE:2"),
        ("qid,question,context,answer\na,Q?, ,x\n", "FILE:2: id 'a': the context is empty"),
        (
            "qid,question,cluster,answer\na,Q?, ,x\n",
            "FILE:2: the cluster is empty, or begins or ends with a space: ' '",
        ),
        ("qid,question,answers\na,Q?,x||y\n", "FILE:2: id 'a': an answer is empty"),
        ("qid,question,answer\na, ,x\n", "FILE:2: id 'a': the question is empty"),
        ("question,options,answer\nQ?,a||c,a\n", "FILE:2: id 'q26c0fb3a9e5a5ea1': a choice is empty"),
    ],
)
def test_a_wrong_cell_is_named_with_the_fix_and_the_section_that_says_more(
    tmp_path: Path, text: str, problem: str
) -> None:
    assert re.sub("'q[0-9a-f]{16}'", "'q...'", refused(tmp_path / "q.csv", text)) == re.sub(
        "'q[0-9a-f]{16}'", "'q...'", problem
    )


def test_first_choice_of_a_section_applies_to_its_file_and_its_default_is_not_recorded() -> None:
    assert reading_of(DatasetConfig(path="q.csv", first_choice=1)).first_choice == 1
    assert "first_choice" not in DatasetConfig(path="q.csv").model_dump()
    for wrong in (2, "1"):
        with pytest.raises(ValidationError):
            DatasetConfig.model_validate({"path": "q.csv", "first_choice": wrong})

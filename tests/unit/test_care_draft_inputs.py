"""What is typed for a new configuration: files or texts, models, names of treatments."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from promptrial.care.draft_inputs import as_name, model_named, prompt_given, questions_given, variables_needed
from promptrial.care.question_keys import columns_given, encoding_given, separator_given, with_flags
from promptrial.cli.draft_flags import dataset, prompts, top, words_again
from promptrial.config.draft import DraftModel
from promptrial.errors import DataError, PromptrialError, UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("A.txt", "b c.txt", "täglich", "x=1.txt"):
        Path(name).write_text("Be brief.\n")
    Path("empty.txt").write_text(" \n")
    Path("folder").mkdir()


def typed(control: str | None, *treatments: str) -> argparse.Namespace:
    return argparse.Namespace(
        control=control, treatment=[*treatments] or None, questions=Path("q 1.csv"), columns=None, encoding=None,
        separator=None, model=None, base_url=None, mode=None, max_tokens=None, limit_items=None,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["A.txt", "b c.txt", "täglich", "./A.txt"])
def test_a_path_that_exists_is_a_file_whatever_its_name(text: str) -> None:
    assert prompt_given("--control", text) == Path(text)


@pytest.mark.parametrize("text", ["Be brief.", "Answer.", "Read B.txt, then answer.", "x" * 5000, "two\nlines.txt",
                                  "Say yes/no.", "はい/いいえで答えてください。"])  # fmt: skip
def test_any_other_prompt_argument_is_the_text_itself(text: str) -> None:
    assert prompt_given("--control", text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("B.txt", "--control: there is no file B.txt"),
        ("prompts/B.MD", "--control: there is no file prompts/B.MD"),
        ("prompts/short", "--control: there is no file prompts/short"),
        ("./short", "--control: there is no file ./short"),
        ("folder", "--control: folder is a folder"),
        ("empty.txt", "empty.txt is empty"),
        ("  ", "--control: an empty prompt"),
        ("caf\udce9", "--control: not valid Unicode text: it holds bytes that are not UTF-8"),
    ],
)
def test_an_impossible_prompt_is_an_error_that_says_so(text: str, message: str) -> None:
    with pytest.raises(PromptrialError) as caught:
        prompt_given("--control", text)
    assert caught.value.message == message
    assert caught.value.exit_code == 2


def test_missing_questions_are_an_error() -> None:
    with pytest.raises(UsageError, match=r"--questions none\.csv: there is no such file"):
        questions_given(Path("none.csv"))
    with pytest.raises(UsageError, match="--questions folder: is not a file"):
        questions_given(Path("folder"))


def test_a_model_is_the_embedded_one_a_file_of_weights_or_one_of_a_provider() -> None:
    built_in = DraftModel("smollm2-135m", "smollm2-135m-instruct")
    assert {model_named(None), model_named("smollm2-135m"), model_named("SmolLM2-135M-Instruct")} == {built_in}
    Path("my model (1).GGUF").write_bytes(b"GGUF")
    assert model_named("my model (1).GGUF") == DraftModel("my-model-1", "my-model-1", path="my model (1).GGUF")
    hosted = model_named("fireworks/accounts/fireworks/models/llama-v3")
    assert hosted == DraftModel("llama-v3", "accounts/fireworks/models/llama-v3", "fireworks")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("openai/gpt-4o-mini", DraftModel("gpt-4o-mini", "gpt-4o-mini", "openai")),
        ("openrouter/openai/gpt-4o-mini", DraftModel("gpt-4o-mini", "openai/gpt-4o-mini", "openrouter")),
        ("llamacpp/any", DraftModel("any", "any", "llamacpp")),
    ],
)
def test_the_part_before_the_first_slash_is_a_provider(text: str, model: DraftModel) -> None:
    assert model_named(text) == model


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt-9", "no such model"),
        ("openai/", "no such model"),
        ("accounts/fireworks/models/x", "no such model: 'accounts' is no provider"),
        ("none.gguf", "there is no such file"),
        ("azure/gpt-4o", "azure needs the address of its server: add --base_url https://"),
    ],
)
def test_an_unknown_model_is_an_error_that_lists_the_known_ones(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        model_named(text)
    assert caught.value.message.startswith(f"--model {text}: {said}")
    assert caught.value.hint is not None
    assert "GGUF" in caught.value.hint


def test_flags_about_the_server_can_be_typed_again() -> None:
    flags = typed("A.txt", "b c.txt")
    flags.base_url, flags.mode = "http://127.0.0.1:8113/v1", "live"
    assert words_again(flags, limited=False).endswith("--base_url http://127.0.0.1:8113/v1 --mode live")


def test_flags_can_set_the_address_of_a_server_or_ask_it_live() -> None:
    address = {"base_url": "https://me.openai.azure.com/openai/v1", "mode": "live"}
    found = model_named("azure/gpt-4o", address)
    assert found == DraftModel("gpt-4o", "gpt-4o", "azure", server=tuple(address.items()))
    with pytest.raises(UsageError, match="--base_url gives a server, but this model needs none"):
        model_named(None, {"base_url": "http://127.0.0.1:8113/v1"})


def test_each_unset_variable_that_a_model_needs_is_named() -> None:
    assert variables_needed(DraftModel("m", "m"), {}) == []
    assert variables_needed(DraftModel("m", "m", "llamacpp"), {}) == []
    assert variables_needed(DraftModel("m", "m", "groq"), {"GROQ_API_KEY": "x"}) == []
    assert variables_needed(DraftModel("m", "m", "anthropic"), {}) == [
        "ANTHROPIC_API_KEY is not set: put ANTHROPIC_API_KEY=... in .env, or export it"
    ]
    assert len(variables_needed(DraftModel("m", "m", "fireworks"), {})) == 2


@pytest.mark.parametrize(("text", "name"), [("täglich neu", "t-glich-neu"), ("--", "trial"), ("a" * 99, "a" * 64)])
def test_any_text_becomes_a_name(text: str, name: str) -> None:
    assert as_name(text) == name


def test_one_prompt_is_the_treatment_and_several_have_names() -> None:
    assert prompts(typed("A.txt", "Be exact."), {}) == {"control": Path("A.txt"), "treatment": "Be exact."}
    several = prompts(typed("A.txt", "short=b c.txt", "strict=Say yes=no.", "x=1.txt"), {})
    assert several == {
        "control": Path("A.txt"), "short": Path("b c.txt"), "strict": "Say yes=no.", "treatment": Path("x=1.txt"),
    }  # fmt: skip


def test_an_omitted_prompt_gets_its_default() -> None:
    missing = {"control": "one", "treatment": "two"}
    assert prompts(typed(None), missing) == missing
    assert prompts(typed(None, "a=x y"), missing) == {"control": "one", "a": "x y"}


@pytest.mark.parametrize(
    ("treatments", "message"),
    [
        (("A.txt", "b c.txt"), "--treatment: two prompts have the same name"),
        (("a=x", "a=y"), "--treatment: two prompts have the same name"),
        (("control=x",), "--treatment: control is the name of the control"),
        (("a=none.txt",), "--treatment: there is no file none.txt"),
    ],
)
def test_identical_treatments_are_an_error(treatments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompts(typed("A.txt", *treatments), {})
    assert caught.value.message == message


def test_the_flags_can_be_typed_again_as_they_are_printed() -> None:
    args = typed("- A dash.", "short=b c.txt", "long=It's long.")
    assert words_again(args, limited=False) == (
        "--questions 'q 1.csv' '--control=- A dash.' --treatment 'short=b c.txt' --treatment 'long=It'\"'\"'s long.'"
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("question=Frage,answers=Antwort", {"question": "Frage", "answers": "Antwort"}),
        (" question = Die Frage , answers = A=1 ", {"question": "Die Frage", "answers": "A=1"}),
        ("question=a, or b,answers=x", {"question": "a, or b", "answers": "x"}),
        ("choices=A,choices=B,choices=C", {"choices": ["A", "B", "C"]}),
    ],
)
def test_columns_are_named_by_what_they_hold(text: str, columns: dict[str, object]) -> None:
    assert columns_given(text) == columns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Frage", "--columns: 'Frage' is not ROLE=COLUMN"),
        ("frage=Frage", "--columns: 'frage=Frage' is not ROLE=COLUMN"),
        ("question=", "--columns: 'question=' is not ROLE=COLUMN"),
        ("", "--columns: '' is not ROLE=COLUMN"),
        ("question=a,question=b", "--columns: question names several columns"),
        ("question=${HOME}", "--columns: a configuration would read ${...} in '${HOME}' as a variable"),
        ("question=caf\udce9", "--columns: not valid Unicode text: it holds bytes that are not UTF-8"),
    ],
)
def test_columns_that_cannot_be_read_are_an_error(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        columns_given(text)
    assert caught.value.message == message


def test_an_encoding_is_one_that_python_has() -> None:
    assert encoding_given("cp1252") == "cp1252"
    with pytest.raises(UsageError, match="--encoding 'none'"):
        encoding_given("none")


@pytest.mark.parametrize("text", ["", " ", "${HOME}"])
def test_a_separator_is_used_literally(text: str) -> None:
    assert separator_given("; ") == "; "
    with pytest.raises(UsageError, match="no separator"):
        separator_given(text)


def test_a_trial_of_some_of_the_questions_is_typed_again_with_their_number() -> None:
    args = typed("A.txt")
    args.limit_items, args.max_tokens = 30, 16
    assert words_again(args, limited=False).endswith(" --control A.txt --max_tokens 16")
    assert words_again(args, limited=True).endswith(" --control A.txt --max_tokens 16 --limit_items 30")
    assert top(args) == {"limit_items": 30, "max_new_tokens": {"open_book": 16, "closed_book": 16}}
    assert top(typed(None)) == {}


def test_flags_about_reading_questions_need_questions() -> None:
    args = typed(None)
    args.columns, args.encoding, args.separator = "question=Frage", "cp1252", ";"
    assert dataset(args) == {"columns": {"question": "Frage"}, "encoding": "cp1252", "separator": ";"}
    assert (
        words_again(args, limited=False)
        == "--questions 'q 1.csv' --columns question=Frage --encoding cp1252 --separator ';'"
    )
    args.questions = None
    with pytest.raises(UsageError, match="--columns describes a question file, but no file was given"):
        dataset(args)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ('write `columns: {question: "Die Frage", answers: a}` in the section of the data set; see x',
         "write `--columns 'question=Die Frage,answers=a'`; see x"),
        ("name it in the section of the data set: `columns: {question: q}`; see x",
         "name it as `--columns question=q`; see x"),
        ("did you mean 'q'? Correct `columns.question` of the data set; see x",
         "did you mean 'q'? Correct `--columns ROLE=COLUMN`; see x"),
        ("write its encoding in its section of `datasets`, such as `encoding: cp1252`; see x",
         "write its encoding as `--encoding cp1252`; see x"),
        ("if it is text, write `encoding: utf-16-le` in its section of `datasets`",
         "if it is text, write `--encoding utf-16-le`"),
        ("write its own encoding as `encoding:`; see x", "write its own encoding as `--encoding NAME`; see x"),
        ("rename the column", "rename the column"),
    ],
)  # fmt: skip
def test_a_hint_names_the_flags_while_there_is_no_configuration(hint: str, shown: str) -> None:
    assert with_flags(DataError("wrong", hint=hint)).hint == shown

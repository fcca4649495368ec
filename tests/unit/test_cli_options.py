"""Flags, and where their values come from when they are not typed."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from promptrial.cli.main import COMMANDS, build_parser, main
from promptrial.cli.options import add_run_flags, experiments_dir, overrides
from promptrial.cli.parser import Parser, add_flag
from promptrial.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def parse(*words: str) -> argparse.Namespace:
    parser = Parser()
    add_run_flags(parser)
    add_flag(parser, "resume", "go on", action="store_true")
    add_flag(parser, "log_level", "least level", default="info", choices=("debug", "info"))
    return parser.parse_args(words)


def dotenv(text: str | bytes) -> None:
    Path(".env").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_flag_environment_dotenv_and_default_take_precedence_in_this_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (parse().log_level, parse().resume, parse().limit_items) == ("info", False, None)
    dotenv("PROMPTRIAL_LIMIT_ITEMS=1\nPROMPTRIAL_RESUME=yes\n")
    assert (parse().limit_items, parse().resume) == (1, True)
    monkeypatch.setenv("PROMPTRIAL_LIMIT_ITEMS", "2")
    assert parse().limit_items == 2
    assert parse("--limit-items", "3").limit_items == 3


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIMIT_ITEMS", "LOG_LEVEL", "RUN_ID", "CONDITION", "RESUME"):
        monkeypatch.setenv(f"PROMPTRIAL_{name}", "")
    args = parse()
    assert (args.limit_items, args.log_level, args.run_id, args.condition, args.resume) == (
        None, "info", None, None, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOG_LEVEL", "loud", "expected one of debug, info; got 'loud'"),
        ("RESUME", "maybe", "expected 1 or 0, got 'maybe'"),
        ("TEMPS", "hot", "expected numbers separated by commas, got 'hot'"),
    ],
)
def test_an_error_in_a_variable_names_the_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv(f"PROMPTRIAL_{name}={value}\n")
    with pytest.raises(UsageError) as caught:
        parse()
    assert caught.value.message == f".env: PROMPTRIAL_{name}: {said}"
    dotenv("")
    monkeypatch.setenv(f"PROMPTRIAL_{name}", value)
    with pytest.raises(UsageError) as caught:
        parse()
    assert caught.value.message == f"environment variable PROMPTRIAL_{name}: {said}"


def test_a_variable_yields_to_a_typed_flag_that_excludes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTRIAL_ONLY_STEP", "parse")
    monkeypatch.setenv("PROMPTRIAL_PARTS_PER_DATASET", "2")
    dotenv("PROMPTRIAL_LINES_PER_PART=9\n")
    args = parse("--from_step", "score")
    assert (args.only_step, args.from_step) == (None, "score")
    assert (args.parts_per_dataset, args.lines_per_part) == (2, None)
    args = parse("--lines_per_part", "5")
    assert (args.only_step, args.parts_per_dataset) == ("parse", None)
    assert overrides(args) == {("lines_per_part",): 5, ("parts_per_dataset",): None}


def test_two_typed_flags_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="--parts_per_dataset and --lines_per_part cannot be combined"):
        overrides(parse("--lines_per_part", "5", "--parts_per_dataset", "2"))


def test_arms_can_be_named_by_the_flag_or_its_alias() -> None:
    assert overrides(parse("--arms", "control, short")) == {("conditions",): ["control", "short"]}
    assert overrides(parse("--condition", "short")) == {("conditions",): ["short"]}
    assert overrides(parse("--condition", "both")) == {("conditions",): None}
    with pytest.raises(UsageError, match="--arms and --condition cannot be combined"):
        overrides(parse("--arms", "control", "--condition", "control"))


def test_a_required_flag_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser()
    add_flag(parser, "run_id", "name", required=True)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([])
    assert caught.value.code == 2
    assert "required: --run_id" in capsys.readouterr().err
    monkeypatch.setenv("PROMPTRIAL_RUN_ID", "r1")
    assert parser.parse_args([]).run_id == "r1"


def test_a_dotenv_that_is_not_utf8_is_named() -> None:
    dotenv(b"NAME=caf\xe9\n")
    with pytest.raises(ConfigError, match=r"\.env: cannot read this file: .*utf-8"):
        parse()


def test_an_invalid_line_of_a_dotenv_is_named_by_number_and_not_repeated() -> None:
    dotenv("# keys\nA='x\ny'\nVENDOR_KEY hunter2\n")
    with pytest.raises(ConfigError, match=r"\.env:4: expected NAME=VALUE") as caught:
        parse()
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("source", ["environment variable", ".env:"])
@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PROMPTRIAL_MAX_COST", "PROMPTRIAL_MAX_COST_USD"),
        ("PROMPTRIAL_LIMT_ITEMS", "PROMPTRIAL_LIMIT_ITEMS"),
    ],
)
def test_a_misspelt_variable_is_refused_because_it_would_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, source: str, variable: str, meant: str
) -> None:
    if source == ".env:":
        dotenv(f"{variable}=1\n")
    else:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(UsageError, match=f"{source} {variable} sets nothing; did you mean {meant}?"):
        parse()


@pytest.mark.parametrize("variable", ["PROMPTRIAL_CACHE", "PROMPTRIAL_TEMP", "PROMPTRIAL_OURS", "LIMT_ITEMS"])
def test_variables_of_other_commands_and_programs_are_ignored(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    without = parse()
    monkeypatch.setenv(variable, "1")
    assert parse() == without


def test_help_needs_no_dotenv(capsys: pytest.CaptureFixture[str]) -> None:
    dotenv(b"NAME=caf\xe9\n")
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    assert "--run_id" in capsys.readouterr().out


class TestWhereRunsAreKept:
    def test_flag_file_and_default_take_precedence_in_this_order(self) -> None:
        assert experiments_dir(parse()) == Path("experiments")
        Path("config").mkdir()
        Path("config/eval_config.yaml").write_text("paths: {experiments_dir: from-file}\n")
        assert experiments_dir(parse()) == Path("from-file")
        assert experiments_dir(parse("--experiments_dir", "typed")) == Path("typed")

    def test_the_named_configuration_is_read_with_its_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("other.yaml").write_text("paths: {experiments_dir: '${WHERE}/runs'}\n")
        monkeypatch.setenv("WHERE", "there")
        assert experiments_dir(parse("--config", "other.yaml")) == Path("there/runs")
        monkeypatch.setenv("PROMPTRIAL_EXPERIMENTS_DIR", "elsewhere")
        assert experiments_dir(parse("--config", "other.yaml")) == Path("elsewhere")

    @pytest.mark.parametrize(
        "text", ["", "paths:\n", "paths: 3\n", "paths: {experiments_dir: 3}\n", "a: b: c\n", "\xff", "paths: {x: y}\n",
                 "paths: {experiments_dir: '${NOT_SET}'}\n"],
    )  # fmt: skip
    def test_a_configuration_without_the_key_leaves_the_default(self, text: str) -> None:
        Path("other.yaml").write_bytes(text.encode("latin-1"))
        assert experiments_dir(parse("--config", "other.yaml")) == Path("experiments")


def test_a_folder_means_the_configuration_in_it(tmp_path: Path) -> None:
    (tmp_path / "proj").mkdir()
    assert parse("--config", "proj").config == Path("proj")
    (tmp_path / "proj/eval_config.yaml").write_text("")
    assert parse("--config", "proj").config == Path("proj/eval_config.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["try", "--question", "q.csv"], "unrecognized arguments: --question q.csv; did you mean --questions?"),
        (["run", "--limit-item=3"], "did you mean --limit_items?"),
        (["run", "--zzz"], "unrecognized arguments: --zzz\n"),
        (["tyr"], "there is no verb 'tyr'; did you mean 'try'?\n"),
        (["config", "chek"], "there is no action 'chek'; did you mean 'check'?"),
    ],
)
def test_a_misspelt_flag_or_verb_is_answered_with_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", [None, *COMMANDS])
def test_help_fits_80_columns_and_shows_each_flag_in_one_spelling(
    verb: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = build_parser(*([verb] if verb else []))
    if verb is not None:
        parser = next(each for each in parser._actions if each.dest == "verb").choices[verb]  # type: ignore[index]
    shown = parser.format_help()
    assert [line for line in shown.splitlines() if len(line) > 80 and "completion bash >" not in line] == []
    assert not re.search(r"^ .*--\w+-\w", shown, re.MULTILINE)


def test_no_verb_or_the_word_help_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, shown in (([], 2, "VERB"), (["help"], 0, "exit codes:"), (["help", "try"], 0, "--questions")):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == code
        assert shown in capsys.readouterr().out


def test_only_commands_that_save_something_say_that_flags_are_saved_with_the_run() -> None:
    verbs = {name: build_parser(name) for name in ("run", "resume", "plan", "config")}
    choices = {
        name: next(each for each in parser._actions if each.dest == "verb").choices[name]  # type: ignore[index]
        for name, parser in verbs.items()
    }
    said = {name: "saved with the run" in " ".join(each.format_help().split()) for name, each in choices.items()}
    assert said == {"run": True, "resume": True, "plan": False, "config": False}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("explain s1 --experiments_dir ex report", {"run": "s1", "phase": "report", "experiments_dir": Path("ex")}),
        ("explain s1 report --experiments_dir ex", {"run": "s1", "phase": "report", "experiments_dir": Path("ex")}),
        ("explain --experiments_dir ex s1 report", {"run": "s1", "phase": "report", "experiments_dir": Path("ex")}),
        ("show h --experiments_dir ex 1 --json", {"run_id": "h", "item": "1", "experiments_dir": Path("ex")}),
        ("show h --arm 1 --json 1", {"run_id": "h", "item": "1", "arm": "1", "json": True}),
        ("show h --json 1 --arm 1", {"run_id": "h", "item": "1", "arm": "1", "json": True}),
    ],
)
def test_arguments_can_come_before_between_and_after_flags(line: str, found: dict[str, object]) -> None:
    verb, *_ = line.split()
    args = vars(build_parser(verb).parse_args(line.split()))
    assert found.items() <= args.items()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show h --json 1 2", "unrecognized arguments: 2"),
        ("show h --jsom 1", "unrecognized arguments: --jsom"),
        ("explain s1 --experiments_dir ex score build", "unrecognized arguments: build"),
    ],
)
def test_an_extra_argument_is_named(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb, *_ = line.split()
    with pytest.raises(SystemExit):
        build_parser(verb).parse_args(line.split())
    assert said in capsys.readouterr().err

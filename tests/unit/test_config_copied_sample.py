"""A name or a question that was copied with the sample is noticed, where prompts or questions are others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from promptrial.config.sample import copied_words, sample_config, sample_folder
from tests.support.project import Project

CONFIG = yaml.safe_load(sample_config().read_text())
NAME, QUESTION = CONFIG["name"], CONFIG["question"]


def digest(path: str) -> str:
    data = (sample_folder() / path).read_bytes()
    return hashlib.sha256(data.rstrip(b"\n") if "prompts" in path else data).hexdigest()


PROMPTS = {digest("config/prompts/control.txt"), digest("config/prompts/treatment.txt")}
FILES = {digest("data/sample/open_book.json"), digest("data/sample/closed_book.jsonl")}


@pytest.mark.parametrize(
    ("name", "question", "prompts", "files", "said"),
    [
        (NAME, "", {"other"}, FILES, "`name` is still what the sample experiment says, but the prompts are not"),
        (
            "mine",
            QUESTION,
            PROMPTS,
            {"other"},
            "`question` is still what the sample experiment says, but the questions ",
        ),
        (
            NAME,
            QUESTION,
            {"x", *PROMPTS},
            {"y"},
            "`name` and `question` are still what the sample experiment says, but",
        ),
        (NAME, "", {"x", *PROMPTS}, FILES, "`name` is still what the sample experiment says, but the prompts are not"),
        (NAME, QUESTION, PROMPTS, FILES, None),
        ("mine", "Does it help?", {"other"}, {"other"}, None),
    ],
)
def test_a_copied_sample_is_noticed_only_beside_the_users_own_prompts_or_questions(
    name: str, question: str, prompts: set[str], files: set[str], said: str | None
) -> None:
    found = copied_words(name, question, prompts, lambda: files)
    assert found == "" if said is None else found.startswith(said)


def test_no_question_file_is_read_if_nothing_was_copied() -> None:
    def read() -> set[str]:
        raise AssertionError

    assert copied_words("mine", "Does it help?", {"x"}, read) == ""


def test_plan_run_and_reports_say_so_until_the_configuration_is_corrected(project: Project) -> None:
    project.write_config({"name": NAME})
    warning = "`name` is still what the sample experiment says, but the prompts and questions are not the sample's"
    assert f"warning: {warning}" in project.call("plan").prose
    assert warning in json.loads(project.call("plan", "--json").out)["warnings"][0]
    assert f"warning: {warning}" in project.run().err
    pages = [project.run_root() / "aggregate_report.md", *project.run_root().glob("*/reports/details.md")]
    assert [f"**Warning:** {warning}" in page.read_text() for page in pages] == [True, True]
    assert "- **Sample text:** " in project.report()
    (project.root / "config/closed.jsonl").unlink()  # the run knows its questions
    again = project.run("--resume")
    assert again.code == 0, again.err
    assert ": running" not in again.err
    project.write_config({"name": "mine"})
    assert "sample" not in project.call("plan").out


def test_plan_has_no_warning_for_the_sample_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    assert "warning" not in project.call("plan", "--config", str(sample_config())).out

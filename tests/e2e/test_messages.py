"""The report of a run shows one question of each kind as it was sent."""

from __future__ import annotations

import json

from tests.support.project import Project


def test_the_report_shows_the_first_question_of_each_kind_as_it_was_sent(project: Project) -> None:
    own = {"closed_book": {"text": "Own: {question}"}}
    arms = {"control": "control.txt", "treatment": {"path": "treatment.txt", "task_instructions": own}}
    project.write_config({"prompt_sets": {"main": arms}})
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    report = project.details()
    prompts, _, messages = report.partition("## Appendix: the messages")
    assert "are asked with this template" not in prompts, "whole messages stand in the place of templates"
    requests = next(project.run_root().glob("batch_inputs/*/t0_control_p001.jsonl")).read_text().splitlines()
    sent = json.loads(requests[0])["body"]["messages"][-1]["content"]
    assert f"User message:\n\n```text\n{sent}\n```" in messages, "both arms ask an open-book question in the same words"
    open_book, closed_book = (
        json.loads((project.run_root() / "prepared" / name).read_text().splitlines()[0])
        for name in ("open_book.jsonl", "closed_book.jsonl")
    )
    assert f"### A question with a passage\n\nExample: question {open_book['id']} of the data set open_set." in messages
    asked = closed_book["question"]
    assert f"User message of the control arm:\n\n```text\nQuestion: {asked}\nAnswer:\n```" in messages
    assert f"User message of the treatment arm:\n\n```text\nOwn: {asked}\n```" in messages
    assert "### A multiple-choice" not in messages

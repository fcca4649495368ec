"""Accepted answers that a scorer cannot use are named by every command that reads questions, before any is asked."""

from __future__ import annotations

import json

import pytest

from tests.support.project import Project

FIELD = '`fields` wants gold.city, which the accepted answer \'{"town": "Bonn"}\' does not have'


@pytest.mark.parametrize(
    ("scorer", "gold", "problem"),
    [
        ({"type": "regex", "from_gold": True}, "C++", "'C++' is not a valid RE2 regular expression"),
        ({"type": "json_schema", "fields": {"city": "gold.city"}}, '{"town": "Bonn"}', FIELD),
    ],
)
def test_unusable_golds_are_refused_with_file_and_line(
    project: Project, scorer: dict[str, object], gold: str, problem: str
) -> None:
    good = "Bonn" if scorer["type"] == "regex" else '{"city": "Bonn"}'
    rows = [{"question": "First?", "answers": good}, {"question": "Second?", "answers": gold}]
    (project.root / "config/mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.write_config(
        {
            "datasets": {"mine": {"format": "custom", "path": "mine.jsonl"}},
            "scorers": {"own": scorer},
            "stats": {"primary": ["own"]},
        }
    )
    expected = "datasets.mine: 1 of 2 questions has accepted answers that own cannot use; the first: "
    for command, code in ((("plan",), 0), (("config", "check"), 2), (("audit",), 100), (("run", "--run_id", "r"), 2)):
        outcome = project.call(*command)
        said = " ".join((outcome.out + outcome.err).split())
        assert outcome.code == code, (command, said)
        assert expected in said, command
        assert "mine.jsonl:2: id " in said
        assert problem in said
    assert not list(project.run_root("r").rglob("*.jsonl")), "nothing was prepared, and nothing asked"

"""Scorers that the configuration chooses, settings included, and scorers in a file of the user's."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from promptrial.documents import scorers as documents
from promptrial.engine import starting
from promptrial.errors import CorruptRecordError
from promptrial.phases.scorers import declared
from promptrial.scoring.types.token_f1 import TokenF1
from promptrial.store.records import RunState
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
POLITE = {"type": "python", "file": "scorers/polite.py", "words": ["paris", "don't know"]}
BRIEF = '''
"""Brevity, from what is on record of a response."""
from dataclasses import dataclass
from promptrial.scoring.contract import Declaration, Scorer

@dataclass(frozen=True)
class Brief(Scorer):
    at_most: int = 40
    declared = Declaration(label="Brevity", meaning="Is the answer short?", scale="binary", direction="higher",
                           needs=("response",))

    def score(self, gold, answer):
        return (answer.response.completion_tokens or 0) <= self.at_most

SCORER = Brief
'''
PACK = {"em": None, "f1": None, "abstain_rate": None, "false_answer_rate": None, "unsupported_rate": None}


@pytest.fixture
def own(project: Project) -> Project:
    """Return a project with two scorers of its own beside the configuration."""
    folder = project.root / "config" / "scorers"
    folder.mkdir()
    shutil.copy(ROOT / "docs/examples/polite.py", folder)
    (folder / "brief.py").write_text(BRIEF)
    return project


def rows(project: Project, run_id: str = "r") -> list[dict[str, str]]:
    with (project.trial_folder(run_id) / "results/per_item_scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def significance(project: Project, run_id: str = "r") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.trial_folder(run_id) / "results/significance.json").read_text())
    return document


def phases_run(project: Project, text: str, run_id: str = "r") -> list[str]:
    """Return the phases that the last invocation of a run executed."""
    log = [json.loads(line) for line in (project.run_root(run_id) / "run.log").read_text().splitlines()]
    last = max(place for place, event in enumerate(log) if event["event"] == "begin")
    assert text == "" or any(text in json.dumps(event) for event in log[last:]), log[last:]
    return [event["phase"] for event in log[last:] if event["event"] == "phase"]


def done(project: Project, *flags: str, run_id: str = "r") -> None:
    outcome = project.run(*flags, run_id=run_id)
    assert outcome.code == 0, outcome.err


SCORING = ["score", "stats", "costs", "report"]


def test_adding_a_scorer_to_a_finished_run_reruns_score_to_report_without_asking(own: Project) -> None:
    done(own)
    before = {path: digest for path, digest in own.snapshot().items() if "results.jsonl" in path}
    own.write_config({"scorers": PACK | {"polite": POLITE}})
    done(own, "--resume")
    assert phases_run(own, "score: running (scorer polite, scorers changed)") == SCORING
    assert phases_run(own, "the scoring has changed; nothing is asked again") == SCORING
    assert before.items() <= own.snapshot().items()
    state = json.loads((own.run_root() / "run_state.json").read_text())
    assert "drift" not in state
    assert [entry["keys"][0].split(":")[0] for entry in state["rescored"]] == ["scorers"]
    assert {"polite", "polite_std", "polite_worst"} <= rows(own)[0].keys()
    assert sum(float(row["polite"] or 0) for row in rows(own)) > 0

    done(own, "--resume")
    assert phases_run(own, "nothing was left to do") == []


def test_editing_the_scorer_file_or_a_setting_reruns_score_to_report(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own)
    path = own.root / "config/scorers/polite.py"
    path.write_text(path.read_text().replace('label="Politeness"', 'label="Courtesy"'))
    done(own, "--resume")
    assert phases_run(own, "scorers.polite.text: differs at character") == SCORING
    assert "Courtesy" in own.details()
    own.write_config({"scorers": {"em": None, "polite": POLITE | {"most": 3}}})
    done(own, "--resume")
    assert phases_run(own, "scorers.polite.most") == SCORING
    done(own, "--resume")
    assert phases_run(own, "nothing was left to do") == []


def test_a_new_version_of_a_default_scorer_reruns_score_to_report(
    own: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(own)
    newer = msgspec.structs.replace(TokenF1.declared, version=2)
    monkeypatch.setattr(TokenF1, "declared", newer)
    done(own, "--resume")
    assert phases_run(own, "score: running (scorer f1 changed)") == SCORING
    done(own, "--resume")
    assert phases_run(own, "nothing was left to do") == []


def test_returning_to_the_default_pack_restores_the_files(own: Project) -> None:
    done(own)
    names = ("per_item_scores.csv", "per_item_scores.parquet", "significance.json", "costs.json")
    results = own.trial_folder() / "results"
    before = {name: (results / name).read_bytes() for name in names}
    own.write_config({"scorers": {"polite": POLITE, "em": None}})
    done(own, "--resume", "--force")  # the primary endpoint changes
    assert (results / "scorers.json").exists()
    own.write_config({})
    done(own, "--resume", "--force")
    assert {name: (results / name).read_bytes() for name in names} == before
    assert not (results / "scorers.json").exists()


def test_listing_the_default_pack_explicitly_changes_only_the_digest_in_the_report(own: Project) -> None:
    done(own)
    text = own.config.read_text() + "scorers:\n" + "".join(f"  {name}:\n" for name in PACK)
    own.config.write_text(text)
    done(own, "--resume")
    assert phases_run(own, "the scoring has changed; nothing is asked again") == ["report"]
    assert not (own.trial_folder() / "results/scorers.json").exists()


def test_another_primary_endpoint_is_drift_and_another_scorer_is_not(own: Project) -> None:
    done(own)
    own.write_config({"scorers": {"polite": POLITE}})
    outcome = own.run("--resume")
    assert outcome.code == 3
    assert "stats.primary" in outcome.err
    assert "scorers." not in outcome.err


def test_a_run_without_exact_match_goes_through_report_and_gates(own: Project) -> None:
    scorers = {"polite": POLITE, "brief": {"type": "python", "file": "scorers/brief.py", "at_most": 30}}
    own.write_config({"scorers": scorers, "stats": {"bootstrap_samples": 1000, "permutation_samples": 999,
                                                    "primary": ["polite"], "tost_margins": {"polite": 2}}})  # fmt: skip
    for run_id in ("a", "b"):
        done(own, run_id=run_id)
    assert list(rows(own, "a")[0])[7:] == ["brief", "brief_std", "polite", "polite_std", "brief_worst", "polite_worst"]
    assert {row["brief"] for row in rows(own, "a")} <= {"0", "1", ""}
    document = significance(own, "a")
    assert {row["metric"] for row in document["endpoints"]} == {"polite", "brief"}
    assert document["settings"]["primary"] == ["polite"]
    assert document["settings"]["ranges"] == {"polite": [0.0, 10.0], "brief": [0.0, 1.0]}
    assert {row["scale"] for row in document["endpoints"] if row["metric"] == "polite"} == {"graded"}
    assert document["selective"] == []
    report = own.details("a")
    assert "Politeness" in report
    assert "How many polite words does the answer have? Shown in words, 0 to 10." in report
    assert "Exact match" not in report
    costs = json.loads((own.trial_folder("a") / "results/costs.json").read_text())
    assert {arm["correct"] for arm in costs["conditions"].values()} == {None}
    recorded = documents.decode((own.trial_folder("a") / "results/scorers.json").read_bytes())
    assert [each.name for each in recorded.scorers] == ["brief", "polite"]

    outcome = own.call("compare", "a", "b", "--gate", "polite >= -5", "--gate", "brief >= -0.9")
    assert outcome.code == 0, outcome.err
    outcome = own.call("compare", "a", "b", "--gate", "polit >= -5")
    assert outcome.code == 2
    assert "unknown scorer 'polit'; did you mean 'polite'?; known: brief, polite" in outcome.err
    outcome = own.call("compare", "a", "b", "--gate", "polite >= -11")
    assert outcome.code == 2
    assert "outside -10 to 10" in outcome.err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os\nraise OSError('no\\nway')\n", "scorer mine: scorers/mine.py cannot be imported: OSError: no way"),
        ("def broken(:\n", "scorer mine: scorers/mine.py cannot be imported: SyntaxError: "),
        ("SCORER = 3\n", "scorer mine: scorers/mine.py has no SCORER that is a dataclass derived from"),
        (
            BRIEF.replace("(answer.response", "1 / 0 + (answer.response"),
            "of open_set: ZeroDivisionError: division by zero",
        ),
        (BRIEF.replace("        return", "        return 0.5  #"), "of open_set is 0.5; its range: 0 or 1"),
        (BRIEF.replace("        return", "        raise SystemExit(0)\n        return"), "open_set: SystemExit: 0"),
        (
            BRIEF + "\nBrief.worst = lambda self, item: 0.5\n",
            "scorer mine: the worst score of item 'rust-2' of open_set is 0.5; its range: 0 or 1",
        ),
        (BRIEF.replace('"higher"', '"up"'), "scorers/mine.py cannot be used: Invalid enum value 'up'"),
        (BRIEF.replace("needs=(", "range=(1, 0), needs=("), "scorers/mine.py cannot be used: the range must go from"),
        (BRIEF.replace("needs=(", "role='accuracy', range=(0, 9), needs=("), "the role 'accuracy' needs binary scores"),
        (BRIEF.replace("declared =", "said ="), "cannot be used: NotImplementedError: it has no `declared`"),
        (BRIEF.replace("at_most:", "section = 'nope'\n    at_most:"), "cannot be used: AttributeError: "),
        (
            BRIEF.replace("    def score", "    def __post_init__(self):\n        1 / 0\n\n    def score"),
            "scorer mine: scorers/mine.py cannot be used: ZeroDivisionError: division by zero",
        ),
        (
            BRIEF.replace("    declared =", "    declared = property(lambda self: [][1])\n    other ="),
            "scorer mine: scorers/mine.py cannot be used: IndexError: list index out of range",
        ),
    ],
)
def test_an_error_in_user_code_is_one_sentence_and_leaves_no_partial_file(own: Project, code: str, said: str) -> None:
    (own.root / "config/scorers/mine.py").write_text(code)
    own.write_config({"scorers": {"mine": {"type": "python", "file": "scorers/mine.py"}}})
    outcome = own.run()
    assert outcome.code == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    names = {path.name for path in (own.trial_folder() / "results").iterdir()}
    assert not {name for name in names if "score" in name}
    (own.root / "config/scorers/mine.py").write_text(BRIEF)
    done(own, "--resume")
    assert phases_run(own, "") == SCORING


@pytest.mark.parametrize("settings", [{}, {"at_most": 30}])
def test_settings_that_the_class_refuses_are_an_error_of_the_configuration(
    own: Project, settings: dict[str, int]
) -> None:
    code = BRIEF.replace(
        "    def score", "    def __post_init__(self):\n        raise ValueError('too long')\n\n    def score"
    )
    (own.root / "config/scorers/mine.py").write_text(code)
    own.write_config({"scorers": {"mine": {"type": "python", "file": "scorers/mine.py", **settings}}})
    outcome = own.run()
    assert outcome.code == 2
    assert "scorers.mine: too long" in outcome.err


def test_a_wrong_setting_of_a_file_is_named_with_its_key(own: Project) -> None:
    own.write_config({"scorers": {"polite": POLITE | {"mots": 3}}})
    outcome = own.run()
    assert outcome.code == 2
    assert "scorers.polite.mots: unknown setting; did you mean 'most'?; known: words, most" in outcome.err


@pytest.mark.parametrize("place", ["../outside.py", "/etc/hostname", "scorers/link.py", "scorers/none.py"])
def test_code_outside_the_folder_of_the_configuration_is_refused_with_file_and_line(own: Project, place: str) -> None:
    (own.root / "outside.py").write_text(BRIEF)
    (own.root / "config/scorers/link.py").symlink_to(own.root / "outside.py")
    own.write_config({"scorers": {"mine": {"type": "python", "file": place}}})
    outcome = own.run()
    assert outcome.code == 2
    line = 1 + own.config.read_text().splitlines().index(f"    file: {place}")
    assert f"config/eval_config.yaml:{line}: scorers.mine.file: " in outcome.err
    assert ("is outside the folder" in outcome.err) == (place != "scorers/none.py")


def test_only_the_score_phase_runs_user_code(own: Project) -> None:
    mark = own.root / "imported"
    (own.root / "config/scorers/mine.py").write_text(f"open({str(mark)!r}, 'a').close()\n{BRIEF}")
    own.write_config({"scorers": {"mine": {"type": "python", "file": "scorers/mine.py"}}})
    done(own, "--to_step", "parse")
    commands = [
        ["plan", "--run_id", "r"],
        ["status", "r"],
        ["doctor", "r"],
        ["list"],
        ["run", "--run_id", "r", "--plan_only"],
    ]
    for command in commands:
        assert own.call(*command).code == 0
        assert not mark.exists(), command
    done(own, "--resume", "--only_step", "score")
    assert mark.exists()
    mark.unlink()
    done(own, "--resume")
    assert own.call("compare", "r", "r").code == 0
    assert own.call("archive", "r").code == 0
    assert not mark.exists()


def test_code_of_a_foreign_run_runs_only_after_it_is_allowed(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_config({"scorers": PACK | {"polite": POLITE}})
    done(own)
    assert own.call("archive", "r", "--to", "box").code == 0
    shutil.rmtree(own.run_root())
    shutil.rmtree(own.root / "config" / "scorers")
    own.config.unlink()
    another_machine(own, monkeypatch)
    assert own.call("unarchive", "box", "--to", "elsewhere").code == 0
    place = ("--experiments_dir", "elsewhere")
    assert own.call("resume", "r", *place).code == 0, "there is nothing to do, and no code runs"
    state = own.root / "elsewhere/run_r/run_state.json"
    (table,) = state.parent.glob("*/results/per_item_scores.csv")
    table.unlink()
    outcome = own.call("resume", "r", *place)
    assert outcome.code == 2
    assert "scorer polite: the code of scorers/polite.py (SHA-256 " in outcome.err
    assert "--allow_code" in outcome.err
    outcome = own.call("resume", "r", *place, "--allow_code")
    assert outcome.code == 0, outcome.err
    assert "trusted_code" not in json.loads(state.read_text())
    table.unlink()
    assert own.call("resume", "r", *place).code == 0, "it was allowed once"


def another_machine(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was allowed is known there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(own.root / "another-machine"))


@pytest.fixture
def mark(own: Project) -> Path:
    """Return the file that hostile code would write; the code is in ``hostile.py``, outside the project."""
    left = own.root / "it-ran"
    (own.root / "hostile.py").write_text(f"open({str(left)!r}, 'a').close()\n{BRIEF}")
    return left


def _own_copy_without_text(own: Project, run: Path) -> None:
    """Let the run's own copy name a file of the run."""
    shutil.copy(own.root / "hostile.py", run / "prepared/notes.txt")
    path = run / "effective_config.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["scorers"] = {"em": None, "mine": {"type": "python", "file": "prepared/notes.txt"}}
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


def _own_copy_with_text(own: Project, run: Path) -> None:
    path = run / "effective_config.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["scorers"] = {
        "em": None,
        "mine": {"type": "python", "file": "m.py", "text": (own.root / "hostile.py").read_text()},
    }
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


def _other_configuration(own: Project, folder: Path) -> Path:
    """Write a configuration with its files and hostile code into a folder; return it."""
    shutil.copytree(own.root / "config", folder)
    shutil.copy(own.root / "hostile.py", folder / "mine.py")
    tree = yaml.safe_load(own.config.read_text())
    tree["scorers"] = {"em": None, "mine": {"type": "python", "file": "mine.py"}}
    (folder / "c.yaml").write_text(yaml.safe_dump(tree))
    return folder / "c.yaml"


def _state_leads(own: Project, run: Path, to: Path) -> None:
    path = run / "run_state.json"
    state = json.loads(path.read_text())
    digest = hashlib.sha256((own.root / "hostile.py").read_bytes()).hexdigest()
    state |= {"config_path": str(to.absolute()), "config_file": str(to), "trusted_code": [digest]}
    path.write_text(json.dumps(state))


def _state_leads_into_the_run(own: Project, run: Path) -> None:
    _state_leads(own, run, _other_configuration(own, run / "prepared/config"))


def _state_leads_elsewhere(own: Project, run: Path) -> None:
    _state_leads(own, run, _other_configuration(own, own.root / "downloads"))


def _state_leads_to_a_link(own: Project, run: Path) -> None:
    """Beside the link to the project's configuration stands other code."""
    folder = _other_configuration(own, own.root / "downloads").parent
    (folder / "link.yaml").symlink_to(own.config)
    tree = yaml.safe_load(own.config.read_text())
    tree["scorers"] = {"em": None, "mine": {"type": "python", "file": "mine.py"}}
    own.config.write_text(yaml.safe_dump(tree))
    _state_leads(own, run, folder / "link.yaml")


def _origin_leads_elsewhere(own: Project, run: Path) -> None:
    (run / "run_state.json").unlink()
    (path,) = run.glob("*/results/trial_manifest.json")
    manifest = json.loads(path.read_text())
    manifest["origin"]["config_file"] = str(_other_configuration(own, own.root / "downloads"))
    path.write_text(json.dumps(manifest))


def _state_trusts_the_own_copy(own: Project, run: Path) -> None:
    _own_copy_with_text(own, run)
    _state_leads(own, run, run / "effective_config.yaml")


HOSTILE = [
    _own_copy_without_text,
    _own_copy_with_text,
    _state_leads_into_the_run,
    _state_leads_elsewhere,
    _state_leads_to_a_link,
    _origin_leads_elsewhere,
    _state_trusts_the_own_copy,
]


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("change", HOSTILE)
def test_a_foreign_run_folder_cannot_make_its_own_code_run(
    own: Project, mark: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Project, Path], None], archived: bool
) -> None:
    """Neither as a copied folder nor from an archive, whatever its records say."""
    done(own, "--to_step", "parse")
    run = own.root / "elsewhere/run_r"
    if archived:
        change(own, own.run_root())
        with monkeypatch.context() as patch:  # a hostile archive is not written by this program
            patch.setattr(RunState, "forget_place", lambda _: None)
            assert own.call("archive", "r", "--incomplete", "--to", "box").code == 0
        assert own.call("unarchive", "box", "--to", "elsewhere").code == 0
    else:
        shutil.copytree(own.run_root(), run)
        change(own, run)
    place = ("--experiments_dir", "elsewhere")
    for flags in ((), ("--force",)):
        own.call("resume", "r", *place, *flags)
        own.call("run", "--run_id", "r", *place, "--resume", *flags)
        assert not mark.exists()
    monkeypatch.chdir(run)
    own.call("resume", "r", "--experiments_dir", "..", "--force")
    assert not mark.exists()


@pytest.mark.parametrize("command", [("resume", "r"), ("run", "--run_id", "r", "--resume")])
def test_a_file_in_the_current_folder_cannot_allow_code(
    own: Project, mark: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The current folder may be that of a run which came from elsewhere."""
    done(own, "--to_step", "parse")
    run = own.run_root()
    _own_copy_with_text(own, run)
    (run / ".env").write_text("PROMPTRIAL_ALLOW_CODE=true\n")
    monkeypatch.chdir(run)
    outcome = own.call(*command, "--config", "effective_config.yaml", "--experiments_dir", "..")
    assert outcome.code == 2
    assert ".env: PROMPTRIAL_ALLOW_CODE: this cannot be set in a file" in outcome.err
    assert not mark.exists()
    monkeypatch.setenv("PROMPTRIAL_ALLOW_CODE", "true")
    (run / ".env").unlink()
    outcome = own.call(*command, "--config", "effective_config.yaml", "--experiments_dir", "..", "--force")
    assert mark.exists(), outcome.err


def test_a_restored_run_does_not_keep_the_path_of_its_configuration(
    own: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(own)
    with monkeypatch.context() as patch:
        patch.setattr(RunState, "forget_place", lambda _: None)
        assert own.call("archive", "r", "--to", "box").code == 0
    assert own.call("unarchive", "box", "--to", "elsewhere").code == 0
    run = own.root / "elsewhere/run_r"
    state = json.loads((run / "run_state.json").read_text())
    assert not state.keys() & {"config_file", "config_path", "config_sha256"}
    (path,) = run.glob("*/results/trial_manifest.json")
    assert json.loads(path.read_text())["origin"]["config_file"] is None


def test_an_edited_file_beside_a_configuration_that_only_the_record_names_runs_once_it_is_named(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    named = own.config.rename(own.root / "config/mine.yaml")
    done(own, "--config", str(named))
    path = own.root / "config/scorers/polite.py"
    assert own.call("resume", "r", "--from_step", "score").code == 0, "this code is known"
    path.write_text(path.read_text().replace('label="Politeness"', 'label="Courtesy"'))
    outcome = own.call("resume", "r")
    assert outcome.code == 2
    safe = "if the configuration is yours, give it: promptrial run --run_id r --config config/mine.yaml --resume"
    assert safe in outcome.err
    assert outcome.err.index(safe) < outcome.err.index("--allow_code")
    assert own.call("resume", "r", "--config", str(named)).code == 0
    assert own.call("resume", "r", "--from_step", "score").code == 0


def test_a_run_keeps_a_copy_of_the_code_in_its_configuration(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own)
    text = (own.run_root() / "effective_config.yaml").read_text()
    assert "    class Polite(Scorer):\n" in text.replace("      class", "    class")
    entry = yaml.safe_load(text)["scorers"]["polite"]
    assert entry["text"] == (own.root / "config/scorers/polite.py").read_text()
    own.config.unlink()
    done(own, "--resume", "--from_step", "score")
    assert phases_run(own, "") == []


def test_costs_count_the_answers_that_meet_the_criterion(own: Project) -> None:
    own.write_config(
        {"scorers": {"em": None, "polite": POLITE}, "costs": {"criterion": {"scorer": "polite", "at_least": 1}}}
    )
    done(own)
    costs = json.loads((own.trial_folder() / "results/costs.json").read_text())
    met = dict.fromkeys(costs["conditions"], 0)
    for row in rows(own):
        met[row["condition"]] += float(row["polite"] or 0) >= 1
    assert {arm: cost["correct"] for arm, cost in costs["conditions"].items()} == met
    assert costs["criterion"] == "Politeness of at least 1"
    report = own.details()
    assert "| Good answers |" in report
    assert "A good answer has a score of at least 1 (Politeness)." in report
    assert "USD per answer with a score of at least 1 (Politeness)" in report

    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own, "--resume")
    assert phases_run(own, "the scoring has changed; nothing is asked again") == ["costs", "report"]
    assert "criterion" not in json.loads((own.trial_folder() / "results/costs.json").read_text())

    own.write_config({"costs": {"criterion": {"scorer": "polite", "at_least": 1}}})
    outcome = own.run("--resume")
    assert outcome.code == 2
    assert "costs.criterion.scorer: unknown scorer 'polite'" in outcome.err


def test_without_a_criterion_the_report_says_that_the_number_is_not_available(own: Project) -> None:
    own.write_config({"scorers": {"polite": POLITE}})
    done(own)
    report = own.details()
    assert "The number of good answers is not available" in report
    assert json.loads((own.trial_folder() / "results/costs.json").read_text())["criterion"] is None


def test_a_kill_between_the_state_and_the_configuration_loses_no_change_of_scoring(
    own: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(own)
    own.write_config({"scorers": PACK | {"polite": POLITE}})

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(starting, "_write_config", kill)
        with pytest.raises(Killed):
            own.run("--resume")
    done(own, "--resume")
    assert phases_run(own, "") == SCORING
    assert "polite" in (own.run_root() / "effective_config.yaml").read_text()
    log = (own.run_root() / "run.log").read_text()
    assert "damaged, or edited by hand" not in log


@pytest.mark.parametrize("elsewhere", ["scorers", "models"])
def test_a_changed_environment_value_in_a_scorer_is_not_drift(
    own: Project, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    """Whether or not the environment gives a value to what is asked, too."""
    monkeypatch.setenv("WORD", "paris")
    monkeypatch.setenv("MODEL", "vendor/model-1")
    polite, models = POLITE | {"words": ["${WORD}"]}, {"m1": {"id": "${MODEL}"}}
    more = {"models": models} if elsewhere == "models" else {}
    own.write_config({"scorers": {"em": None, "polite": polite}, **more})
    done(own)
    own.write_config({"scorers": {"em": None, "f1": None, "polite": polite}, **more})
    done(own, "--resume")
    assert phases_run(own, "nothing is asked again") == SCORING
    assert "drift" not in json.loads((own.run_root() / "run_state.json").read_text())
    monkeypatch.setenv("WORD", "known")
    done(own, "--resume")
    assert phases_run(own, "scorer polite changed") == SCORING
    done(own, "--resume")
    assert phases_run(own, "nothing was left to do") == []
    if elsewhere == "models":
        monkeypatch.setenv("MODEL", "vendor/model-2")
        outcome = own.run("--resume")
        assert outcome.code == 3
        assert "models.m1.id (${MODEL})" in outcome.err


def test_runs_are_compared_by_their_common_scorers_wherever_the_files_are(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own, run_id="a")
    (own.root / "config/scorers/polite.py").rename(own.root / "config/scorers/manners.py")
    brief = {"type": "python", "file": "scorers/brief.py"}
    own.write_config({"scorers": {"brief": brief, "polite": POLITE | {"file": "scorers/manners.py"}, "em": None}})
    done(own, run_id="b")
    outcome = own.call("compare", "a", "b", "--json")
    assert outcome.code == 0, outcome.err
    (pair,) = json.loads(outcome.out)["pairs"]
    assert all(each["same"] for each in pair["agreements"])
    assert {row["metric"] for row in pair["significance"]["endpoints"]} == {"em", "polite"}


@pytest.mark.parametrize("change", ["setting", "file"])
def test_a_metric_that_is_measured_differently_in_both_runs_is_not_compared(own: Project, change: str) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own, run_id="a")
    if change == "file":
        path = own.root / "config/scorers/polite.py"
        path.write_text(path.read_text() + "\n# another file\n")
    own.write_config({"scorers": {"em": None, "polite": POLITE | ({"most": 3} if change == "setting" else {})}})
    done(own, run_id="b")
    outcome = own.call("compare", "a", "b")
    assert outcome.code == 2
    assert "scorer differs" in outcome.err
    assert f"scorers.polite.{'settings.most' if change == 'setting' else 'sha256'}: " in outcome.err
    forced = own.call("compare", "a", "b", "--force")
    assert forced.code == 0
    assert "compared despite a difference (--force): scorer" in forced.out


def test_runs_without_a_scorer_in_common_are_refused_even_by_force(own: Project) -> None:
    for run_id, scorers in (("a", {"em": None}), ("b", {"polite": POLITE})):
        own.write_config({"scorers": scorers, "stats": {"primary": list(scorers), "tost_margins": {}}})
        done(own, run_id=run_id)
    outcome = own.call("compare", "a", "b", "--force")
    assert outcome.code == 2
    assert "no scorer has the same name in both" in outcome.err


def test_a_primary_metric_that_only_one_run_has_is_left_out(own: Project) -> None:
    own.write_config({"scorers": {"polite": POLITE, "em": None},
                      "stats": {"primary": ["polite", "em"], "tost_margins": {"polite": 1}}})  # fmt: skip
    done(own, run_id="a")
    own.write_config({"scorers": {"em": None}})
    done(own, run_id="b")
    outcome = own.call("compare", "a", "b", "--json")
    assert outcome.code == 0, outcome.err
    (pair,) = json.loads(outcome.out)["pairs"]
    assert {row["metric"] for row in pair["significance"]["endpoints"]} == {"em"}


def test_a_custom_accuracy_measure_decides_costs_and_gates_under_its_own_name(own: Project) -> None:
    code = BRIEF.replace("needs=(", 'role="accuracy", needs=(').replace('label="Brevity"', 'label="Right enough"')
    (own.root / "config/scorers/mine.py").write_text(code)
    own.write_config(
        {
            "scorers": {
                "mine": {"type": "python", "file": "scorers/mine.py"},
                "abstain_rate": None,
                "unsupported_rate": None,
            }
        }
    )
    done(own)
    costs = json.loads((own.trial_folder() / "results/costs.json").read_text())
    assert costs["criterion"] == "Right enough of at least 1"
    report = own.details()
    assert "Answers are correct according to Right enough." in report
    assert "Exact matches" not in report
    outcome = own.call("compare", "r", "r", "--gate", "mine >= -0.5")
    assert outcome.code == 0, outcome.err


def test_a_record_with_an_impossible_declaration_of_a_scorer_counts_as_damaged(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE}})
    done(own)
    path = own.trial_folder() / "results/scorers.json"
    record = json.loads(path.read_text())
    record["scorers"][0]["declared"]["range"] = [0, 9]
    path.write_text(json.dumps(record))
    with pytest.raises(CorruptRecordError, match="the role 'accuracy' needs binary scores of 0 and 1"):
        declared(path.parent)
    assert "unexpected error" not in own.call("compare", "r", "r").err


def test_an_extract_step_that_finds_nothing_in_an_arm_causes_a_warning(own: Project) -> None:
    nothing = {"type": "exact_match", "extract": {"after": "no answer holds this"}}
    own.write_config({"scorers": {"em": None, "said": nothing}})
    outcome = own.run()
    assert outcome.code == 0, outcome.err
    assert "said: its extract found nothing in any answer of the arms control and treatment" in outcome.err
    own.write_config({"scorers": {"em": None, "said": nothing | {"extract": {"regex": "."}}}})
    outcome = own.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "its extract found nothing" not in outcome.err


def test_the_extracted_text_is_scored_reported_and_counted_by_arm_and_changing_extract_asks_nothing(
    own: Project,
) -> None:
    after = {"type": "exact_match", "extract": {"after": "is"}}
    own.write_config({"scorers": {"em": None, "said": after}, "stats": {"primary": ["said"]}})
    done(own)
    (plain, scorer) = json.loads((own.trial_folder() / "results/scorers.json").read_text())["scorers"]
    assert "extract" not in plain
    assert scorer["extract"] == [{"after": "is"}]
    assert set(scorer["extracted"]) == {"control", "treatment"}
    n = sum(int(row["n_samples"]) for row in rows(own)) // 2
    assert [each["answers"] for each in scorer["extracted"].values()] == [n, n]
    assert sum(each["not_found"] for each in scorer["extracted"].values()) > 0
    report = own.details()
    assert "Asked of what follows the last “is” in the answer. Nothing to extract: control " in report
    assert "Exact match (said)" in report
    assert "Exact match (em)" in report
    done(own, "--resume")
    assert phases_run(own, "nothing was left to do") == []

    own.write_config(
        {"scorers": {"em": None, "said": after | {"extract": "last_line"}}, "stats": {"primary": ["said"]}}
    )
    done(own, "--resume")
    assert phases_run(own, "scorers.said.extract") == SCORING
    assert "Asked of the last line of the answer." in own.details()


def test_an_invalid_extract_step_is_refused_with_file_and_line_before_anything_is_asked(own: Project) -> None:
    own.write_config({"scorers": {"em": {"extract": ["last_line", {"afer": "is"}]}}})
    outcome = own.run()
    assert outcome.code == 2
    assert "scorers.em.extract.1: unknown step 'afer'; did you mean 'after'?; known: after, first_line" in outcome.err
    assert "(docs/scorers.md#extract)" in outcome.err
    assert ".yaml:" in outcome.err


def test_a_scorer_in_a_file_is_given_the_extracted_text(own: Project) -> None:
    own.write_config({"scorers": {"em": None, "polite": POLITE | {"extract": {"regex": "(?:no such text)"}}}})
    done(own)
    assert sum(float(row["polite"] or 0) for row in rows(own)) == 0

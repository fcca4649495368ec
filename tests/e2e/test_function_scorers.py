"""A function beside the configuration as a scorer: what it may ask for, what is refused, what a resume does."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
import yaml

from promptrial.config.loading import load_config
from promptrial.errors import INTERRUPTS, ConfigError, ScoreError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.panel import score_answer
from promptrial.scoring.python_file import load_module
from promptrial.scoring.python_function import function_scorer, unsaid_truth
from tests.support import fake_provider
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Project
from tests.support.scoring_runs import SCORING, done, phases_run, rows

__all__ = ["hosted", "process"]

CODE = '''"""Measures of our own."""


def overlap(answer: str, golds: list[str], *, fold: bool = True) -> float:
    """How many letters of the nearest accepted answer occur in the answer?"""
    text = answer.lower() if fold else answer
    return max(sum(letter in text for letter in gold.lower()) / len(gold) for gold in golds)


def short(answer: str, most: int) -> bool:
    return len(answer.split()) <= most


def about_bread(item) -> bool:
    return "bread" in item.question
'''


@pytest.fixture
def own(project: Project) -> Project:
    """Return a project with a file of functions beside its configuration."""
    (project.root / "config/measures.py").write_text(CODE)
    return project


def configure(own: Project, scorer: dict[str, Any], **scorers: Any) -> None:
    own.write_config({"scorers": {"mine": {"type": "python", **scorer}, **scorers}})


def recorded(own: Project) -> dict[str, Any]:
    document = json.loads((own.trial_folder() / "results/scorers.json").read_text())
    (scorer,) = document["scorers"]
    found: dict[str, Any] = scorer
    return found


def test_editing_a_function_scores_and_analyses_again_without_asking(own: Project) -> None:
    configure(own, {"file": "measures.py:overlap"}, em=None)
    done(own)
    before, asked = rows(own), dict(fake_provider.CALLS)
    answers = {path: digest for path, digest in own.snapshot().items() if "results.jsonl" in path}
    file = own.root / "config/measures.py"
    file.write_text(CODE.replace("return max(", "return 1 - max("))
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert asked == fake_provider.CALLS
    assert asked
    assert answers.items() <= own.snapshot().items()
    for old, new in zip(before, rows(own), strict=True):
        if old["mine"]:
            assert float(new["mine"]) == pytest.approx(1 - float(old["mine"]))
    done(own, "--resume")
    assert phases_run(own) == []


def test_editing_a_function_sends_nothing_to_a_vendor(hosted: HostedProject) -> None:
    own = hosted.project
    (own.root / "config/measures.py").write_text(CODE)
    tree = yaml.safe_load(own.config.read_text())
    own.write_config(tree | {"scorers": {"em": None, "mine": {"type": "python", "file": "measures.py:overlap"}}})
    done(own)
    ledger = hosted.emulator.ledger()
    before = (own.trial_folder() / "results/significance.json").read_bytes()
    (own.root / "config/measures.py").write_text(CODE.replace("return max(", "return 1 - max("))
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert hosted.emulator.ledger() == ledger
    assert hosted.rows_bought() > 0
    assert (own.trial_folder() / "results/significance.json").read_bytes() != before


def test_the_inputs_of_a_function_come_from_its_parameters_and_its_scale_from_its_annotation(own: Project) -> None:
    configure(own, {"file": "measures.py:overlap", "label": "Letters"})
    done(own)
    declared = recorded(own)["declared"]
    assert declared["label"] == "Letters"
    assert declared["meaning"] == "How many letters of the nearest accepted answer occur in the answer?"
    assert (declared["scale"], declared["range"], declared["needs"]) == ("continuous", [0.0, 1.0], ["gold"])
    assert recorded(own)["function"] == "overlap"
    scored = {row["item_key"]: bool(row["mine"]) for row in rows(own)}
    assert {key for key, has in scored.items() if not has} == {
        f"open_set|{name}-2" for name in ("tides", "rust", "bread")
    }


def test_questions_that_lack_what_a_function_needs_are_refused_before_anything_is_asked(own: Project) -> None:
    (own.root / "config/closed.jsonl").write_text('{"question": "Who?"}\n{"question": "Why?", "answer": "so"}\n')
    configure(own, {"file": "measures.py:overlap"})
    outcome = own.run()
    assert outcome.code == 2
    assert "1 of 2 questions has no gold answer, and mine needs one" in outcome.err
    assert not fake_provider.CALLS
    configure(own, {"file": "measures.py:short", "most": 3, "needs": ["choices"]})
    assert "questions have no choices, and mine needs them" in own.run(run_id="s").err


def test_a_setting_is_passed_as_an_argument_and_a_boolean_result_makes_the_scale_binary(own: Project) -> None:
    configure(own, {"file": "measures.py:short", "most": 3})
    done(own)
    assert recorded(own)["declared"]["scale"] == "binary"
    assert recorded(own)["declared"]["label"] == "Mine"
    assert {row["mine"] for row in rows(own)} <= {"0", "1"}
    configure(own, {"file": "measures.py:short", "most": 50})
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert {row["mine"] for row in rows(own)} == {"1"}


def test_booleans_of_a_function_without_a_scale_are_warned_about_with_what_to_write(own: Project) -> None:
    file = own.root / "config/measures.py"
    file.write_text(CODE.replace("most: int) -> bool:", "most: int):"))
    configure(own, {"file": "measures.py:short", "most": 2})
    outcome = own.run("--to_step", "score")
    assert outcome.code == 0, outcome.err
    assert "mine: the function returned only True and False, but its scores are treated as continuous" in outcome.err
    assert "write `scale: binary` in scorers.mine" in outcome.err
    assert recorded(own)["declared"]["scale"] == "continuous"
    configure(own, {"file": "measures.py:short", "most": 2, "scale": "binary"})
    outcome = own.run("--resume", "--to_step", "score")
    assert outcome.code == 0, outcome.err
    assert "returned only True and False" not in outcome.err
    assert recorded(own)["declared"]["scale"] == "binary"


def test_output_printed_by_a_function_is_not_among_the_results(own: Project) -> None:
    file = own.root / "config/measures.py"
    file.write_text("print('imported')\n\n\ndef f(answer):\n    print('called')\n    return 0.5\n")
    configure(own, {"file": "measures.py:f"})
    outcome = own.run("--to_step", "score", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["run_id"] == "r"
    assert {"imported", "called"} <= set(outcome.err.splitlines())


@pytest.mark.parametrize(
    ("code", "settings", "warned"),
    [
        ("def f(answer):\n    return True\n", {}, True),
        ("import numpy\ndef f(answer):\n    return numpy.float64(len(answer)) > 2\n", {}, True),
        ("def f(answer):\n    return True\n", {"scale": "continuous"}, False),
        ("def f(answer) -> float:\n    return True\n", {}, False),
        ("def f(answer):\n    return True if answer == 'a' else 0.5\n", {}, False),
        ("def f(answer):\n    return 1\n", {}, False),
    ],
)
def test_a_function_is_warned_about_only_if_it_returned_only_booleans_and_has_no_scale(
    code: str, settings: dict[str, Any], *, warned: bool
) -> None:
    scorer = function_scorer("mine", "measures.py", "f", load_module("mine", "measures.py", code), settings)
    gold = prepare_gold(Item(id="q", dataset="d", question="Q?", answers=("a",)), "squad_v2", ScoringSettings())
    for text in ("a", "long"):
        score_answer(gold, Response(text), {"mine": scorer})
    assert bool([*unsaid_truth({"mine": scorer})]) is warned


def test_another_function_of_the_same_file_is_another_scorer(own: Project) -> None:
    (own.root / "config/measures.py").write_text(CODE + "\ndef shorter(answer, most):\n    return False\n")
    configure(own, {"file": "measures.py:short", "most": 50})
    done(own)
    configure(own, {"file": "measures.py:shorter", "most": 50})
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert {row["mine"] for row in rows(own)} == {"0"}


def test_an_applies_function_that_sees_only_the_item_decides_whether_a_scorer_applies(own: Project) -> None:
    configure(own, {"file": "measures.py:short", "most": 3, "applies": "about_bread"})
    done(own)
    assert {row["item_key"] for row in rows(own) if row["mine"]} == {"open_set|bread-1", "open_set|bread-2"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return None", "item 'ITEM' of open_set: the function returned None; expected a number, True or False"),
        ("return 'yes'", "the function returned 'yes'; expected a number, True or False"),
        ("return float('nan')", "scorer mine: the score of item 'ITEM' of open_set is nan; its range: from 0 to 1"),
        ("return 1.01", "is 1.01; its range: from 0 to 1"),
        ("return [][1]", "scorer mine failed on item 'ITEM' of open_set: IndexError: list index out of range"),
        ("import neighbour", "scorer mine failed on item 'ITEM' of open_set: ModuleNotFoundError"),
        ("raise SystemExit(0)", "scorer mine failed on item 'ITEM' of open_set: SystemExit: 0"),
        ("raise GeneratorExit", "scorer mine failed on item 'ITEM' of open_set: GeneratorExit"),
        ("raise BaseException('own')", "scorer mine failed on item 'ITEM' of open_set: BaseException: own"),
    ],
)
def test_an_error_in_a_function_names_scorer_and_item(code: str, said: str) -> None:
    module = load_module("mine", "measures.py", f"def f(answer):\n    {code}\n")
    scorer = function_scorer("mine", "measures.py", "f", module, {})
    item = Item(id="ITEM", dataset="open_set", question="q", answers=("a",))
    with pytest.raises(ScoreError) as error:
        score_answer(prepare_gold(item, "custom", ScoringSettings()), Response("a"), {"mine": scorer})
    assert said in str(error.value)


@pytest.mark.parametrize("raised", ["GeneratorExit", "BaseException('own')", "SystemExit"])
def test_a_file_that_fails_to_load_is_named(raised: str) -> None:
    with pytest.raises(ScoreError, match=rf"scorer mine: measures\.py cannot be imported: {raised[:9]}"):
        load_module("mine", "measures.py", f"raise {raised}\n")


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_inside_user_code_is_still_an_interrupt(interrupt: type[BaseException]) -> None:
    def f(answer: str) -> float:  # noqa: ARG001 - what the function is given
        raise interrupt

    module = ModuleType("measures")
    module.__dict__["f"] = f
    item = Item(id="ITEM", dataset="open_set", question="q", answers=("a",))
    with pytest.raises(interrupt):
        score_answer(
            prepare_gold(item, "custom", ScoringSettings()),
            Response("a"),
            {"mine": function_scorer("mine", "measures.py", "f", module, {})},
        )


def test_an_error_in_a_function_leaves_no_partial_file_and_a_score_of_none_points_to_applies(
    own: Project,
) -> None:
    (own.root / "config/measures.py").write_text("def f(answer):\n    return None if len(answer) > 9 else 1\n")
    configure(own, {"file": "measures.py:f"})
    outcome = own.run()
    assert outcome.code == 1
    assert "the function returned None" in outcome.err
    assert "give a function of the file as `applies:`" in outcome.err
    assert "Traceback" not in outcome.err
    assert not [path for path in (own.trial_folder() / "results").iterdir() if "score" in path.name]


def test_a_file_beside_the_file_is_not_imported(own: Project) -> None:
    (own.root / "config/neighbour.py").write_text("")
    (own.root / "config/measures.py").write_text("import neighbour\ndef f(answer):\n    return 1\n")
    configure(own, {"file": "measures.py:f"})
    outcome = own.run()
    assert outcome.code == 1
    assert "cannot be imported: ModuleNotFoundError: No module named 'neighbour'" in outcome.err
    assert "a scorer is one file" in outcome.err


@pytest.mark.parametrize(
    ("scorer", "at", "said"),
    [
        ({"file": "measures.py:overlaps"}, "file", "it has no function 'overlaps'; did you mean 'overlap'?"),
        ({"file": "measures.py:short"}, "file", "line 10: short: the parameter 'most' has no value"),
        ({"file": "measures.py:short", "most": 3, "least": 1}, "least", "no parameter of this name"),
        ({"file": "measures.py:overlap", "golds": []}, "golds", "golds comes from the item and its answer"),
        ({"file": "measures.py:overlap", "applies": "about"}, "applies", "it has no function 'about'"),
        ({"file": "measures.py:overlap", "applies": "short"}, "applies", "the parameter 'answer' has no value"),
        ({"file": "measures.py:overlap", "scale": "graded"}, "scale", "input should be 'binary' or 'continuous'"),
        ({"file": "measures.py:overlap", "range": [1, 0]}, "", "the range must go from a lower to a higher number"),
        ({"file": "measures.py:overlap", "role": "accuracy"}, "", "the role 'accuracy' needs binary scores"),
        ({"file": "none.py:overlap"}, "file", "file not found"),
        ({"file": "broken.py:f"}, "file", "broken.py: it is not valid Python: line 1: "),
        ({"file": "deep.py:f"}, "file", "deep.py: it is not valid Python: "),
        ({"file": "waits.py:f"}, "file", "line 1: f is an async function"),
        ({"file": "slash.py:f"}, "file", "the parameter 'answer' cannot be given by name"),
    ],
)  # fmt: skip
def test_a_function_that_cannot_be_called_is_an_error_of_the_configuration_before_anything_is_asked(
    own: Project, scorer: dict[str, Any], at: str, said: str
) -> None:
    for name, text in {
        "broken.py": "def f(:\n",
        "deep.py": "def f(answer): return " + "(" * 5000,
        "waits.py": "async def f(answer): ...\n",
        "slash.py": "def f(answer, /): ...\n",
    }.items():
        (own.root / "config" / name).write_text(text)
    configure(own, scorer)
    with pytest.raises(ConfigError) as error:
        load_config(own.config, {})
    lines = own.config.read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if text.lstrip().startswith(f"{at or 'mine'}:"))
    start = f"{own.config}:{line}: scorers.mine{'.' if at else ''}{at}: "
    assert str(error.value).startswith(start), str(error.value)
    assert said in str(error.value)


def test_the_source_of_a_function_is_parsed_but_not_run_before_score(own: Project) -> None:
    mark = own.root / "imported"
    (own.root / "config/measures.py").write_text(f"open({str(mark)!r}, 'a').close()\n{CODE}")
    configure(own, {"file": "measures.py:overlap"})
    assert own.run("--to_step", "parse").code == 0
    assert own.call("plan").code == 0
    assert not mark.exists()
    done(own, "--resume")
    assert mark.exists()


@pytest.mark.parametrize("made", ["f = lambda answer: 1", "from os.path import exists as f", "class f: ..."])
def test_a_function_not_defined_by_def_is_checked_only_in_score(own: Project, made: str) -> None:
    (own.root / "config/measures.py").write_text(made + "\n")
    configure(own, {"file": "measures.py:f"})
    assert load_config(own.config, {}).experiment.scorers_in_use["mine"].function == "f"


def test_settings_of_a_function_not_defined_by_def_are_checked_in_score(own: Project) -> None:
    (own.root / "config/measures.py").write_text("f = lambda answer, most: 1\n")
    configure(own, {"file": "measures.py:f"})
    outcome = own.run()
    assert outcome.code == 2
    assert "scorers.mine: f: the parameter 'most' has no value" in outcome.err
    configure(own, {"file": "measures.py:f", "most": 3})
    done(own, "--resume")

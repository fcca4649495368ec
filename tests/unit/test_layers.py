"""The program has few packages, and the words of one domain stay in theirs."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import promptrial
from promptrial.config.presets import PRESETS

ROOT = Path(promptrial.__file__).parent
NOT_AN_ARM = re.compile(r"control (characters?|tokens?|plane)")
"""Terms that have the word and are no arm."""


def spoken(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield line, word or text, and whether it is a name, of all that code says. Comments and docstrings are free."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    prose = {
        id(line.value)
        for node in ast.walk(tree)
        if isinstance(node, documented)
        for line in node.body
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield line, node.value, False
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield line, name, True


@functools.cache
def modules() -> tuple[tuple[str, list[tuple[int, str, bool]]], ...]:
    return tuple(
        (path.relative_to(ROOT).as_posix(), [*spoken(ast.parse(path.read_text(encoding="utf-8")))])
        for path in sorted(ROOT.rglob("*.py"))
    )


def names_an_arm(text: str) -> bool:
    return re.search(r"\b(treatment|control)\b", NOT_AN_ARM.sub("", text.lower())) is not None


def test_the_rule_counts_names_and_strings_but_not_comments_and_docstrings() -> None:
    code = (
        '"""Of the control."""\n# control\ndef f(treatment=1):\n    "control"\n'
        '    return row.control, CONTROL, f"the {x} control", "a control character", n_control_only, control_first\n'
    )
    found = [text for _, text, _ in spoken(ast.parse(code)) if names_an_arm(text)]
    assert sorted(found) == [" control", "CONTROL", "control", "treatment"]


def test_the_package_has_at_most_24_modules_and_packages_at_its_root() -> None:
    entries = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(entries) <= 24, sorted(entries)


def test_every_package_says_what_it_is_for_in_one_line() -> None:
    for path in ROOT.rglob("__init__.py"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith('"""'), path
        assert first.rstrip('"').endswith((".", ").")), f"{path}: {first}"


BELOW_DOCUMENTS = {"documents", "errors", "model", "registry"}


def test_a_document_type_is_outside_documents_only_if_it_is_built_from_types_of_higher_layers() -> None:
    schemas = [path for path in ROOT.rglob("*.py") if "schemas.json_schema(" in path.read_text(encoding="utf-8")]
    elsewhere = [path for path in schemas if path.parent != ROOT / "documents"]
    assert elsewhere
    for path in elsewhere:
        packages = {*re.findall(r"^from promptrial\.(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}
        assert packages - BELOW_DOCUMENTS, f"{path}: can be in documents"


def test_only_its_adapter_mentions_fireworks() -> None:
    """Outside it, data on vendors and what reads older runs, only file names of ``config/`` hold the word."""
    found = [
        f"{path}:{line}"
        for path, said in modules()
        if path not in {"registry.py", "config/presets.py", "costs/vendor_terms.py"}
        and not path.startswith(("providers/fireworks", "legacy/"))
        for line, text, _ in said
        if "fireworks" in re.sub(r"config/[\w.]+\.yaml", "", text).lower()
    ]
    assert found == []


def test_no_code_outside_of_the_adapters_decides_by_the_name_of_a_vendor() -> None:
    """Help texts and examples may speak of one. `written_for` of a batch file names who processes it."""
    words = {"embedded", "batch_file", "openai_compatible", "together"}  # which mean other things too
    vendors = PRESETS.keys() - words
    found = [
        f"{path}:{line}"
        for path, said in modules()
        if path not in {"registry.py", "config/presets.py", "config/providers.py", "costs/vendor_terms.py"}
        and not path.startswith(("providers/", "legacy/"))
        for line, text, is_name in said
        if not is_name and text.lower() in vendors
    ]
    assert found == []


def test_the_arms_are_named_in_at_most_16_modules() -> None:
    """All others iterate over the sides of a contrast, or over arms in their order.

    Sentences that people read speak of the control, and depend on no name of an arm.
    """
    found = [
        path
        for path, said in modules()
        if any(names_an_arm(text) and (is_name or " " not in text.strip()) for _, text, is_name in said)
    ]
    assert len(found) <= 16, found


PACK = ("scoring/", "legacy/", "datasets/", "registry.py")
"""Where the default pack is: its scorers, the line that names it, the measures of an older tool, and those that the
official evaluation of a format takes."""


def test_no_module_outside_scoring_names_exact_match() -> None:
    """Other parts ask scorers what they are, so that a run may do without exact match."""
    found = [
        f"{path}:{line}"
        for path, said in modules()
        if not path.startswith(PACK)
        for line, text, is_name in said
        if text in {"em", "exact_match"} and not is_name
    ]
    assert found == []


def test_make_installs_every_extra_that_a_user_may_need() -> None:
    project = ROOT.parents[1]
    extras = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    installed = re.findall(r"--editable '\.\[([a-z0-9,]+)\]'", (project / "Makefile").read_text(encoding="utf-8"))
    use, tests, ray = (set(names.split(",")) for names in installed)
    assert use == extras.keys() - {"s3", "docs", "ray", "dev"}
    assert tests == extras.keys() - {"ray"}, "it is large, and has an environment of its own"
    assert "ray" in ray

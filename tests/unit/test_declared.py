"""What the package declares, something uses: errors are raised, and extras install what is imported."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from promptrial import errors

ROOT = Path(__file__).parents[2]
SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOOLS = ("docs", "dev")
"""Extras that the program itself does not import."""
IMPORT_NAMES = {
    "s3fs": "s3fs",
    "python-multipart": "python_multipart",
    "google-re2": "re2",
    "python-calamine": "python_calamine",
    "rouge-score": "rouge_score",
    "jsonschema-specifications": "jsonschema_specifications",
}
INDIRECT = {"python_multipart": "starlette reads forms with it", "s3fs": "fsspec loads it for addresses such as s3://"}


def is_imported(module: str) -> bool:
    """Return whether any source imports the module, by a statement or by its name as a string."""
    used = re.compile(rf'^\s*(?:import|from) {module}\b|import_module\("{module}"\)', re.MULTILINE)
    return any(used.search(_with_constants(text)) for text in SOURCES.values())


def _with_constants(text: str) -> str:
    """Return a source in which constants that name imported packages are replaced by those names."""
    constants = dict(re.findall(r'^(_[A-Z_]+)(?:: Final)? = "(\w+)"$', text, re.MULTILINE))
    return re.sub(
        r"import_module\((_[A-Z_]+)\)", lambda found: f'import_module("{constants.get(found[1], found[1])}")', text
    )


@pytest.mark.parametrize("name", [name for name in errors.__all__ if inspect.isclass(getattr(errors, name))])
def test_every_error_class_or_a_subclass_is_raised(name: str) -> None:
    error = getattr(errors, name)
    kinds = {each.__name__ for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, error)}
    elsewhere = "".join(text for path, text in SOURCES.items() if path.name != "errors.py")
    assert any(re.search(rf"\b{kind}\b", elsewhere) for kind in kinds)


@pytest.mark.parametrize("extra", [name for name in PROJECT["optional-dependencies"] if name not in TOOLS])
def test_every_extra_installs_only_what_the_program_imports(extra: str) -> None:
    for requirement in PROJECT["optional-dependencies"][extra]:
        package = re.split(r"[\[>=<~ ]", requirement)[0]
        module = IMPORT_NAMES.get(package, package)
        assert is_imported(module) or module in INDIRECT, requirement

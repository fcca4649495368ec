"""The size and the complexity of the code, in figures, and the limits of both: ``make check`` prints them.

``python -m tests.support.shape`` exits 1 where a figure is above its limit and no exception has a reason for it.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["EXCEPTIONS", "LIMITS", "Measure", "Place", "Shape", "main", "measured", "problems", "shape_of_sources"]

ROOT: Final = Path(__file__).parents[2]
LIMITS: Final[Mapping[str, int]] = {
    "lines of a function, median": 6,
    "lines of a function, 90th percentile": 20,
    "lines of a function": 60,
    "lines of a file": 400,
    "fields of a class": 12,
    "parameters of a function": 8,
    "complexity of a function": 15,
}
"""A function's docstring and decorators do not count, nor do ``self`` and ``cls``. What one file or row holds may have
any number of fields: a record, a document, a section of the configuration."""
RECORDS: Final = ("Struct", "NamedTuple", "TypedDict", "BaseModel", "Strict", "Row", "ComparedRow")
"""The bases of such classes."""
_PHRASES: Final = "a table of phrases: data"
_FLAGS: Final = "one field for each flag or setting, read and never changed"
_COLUMNS: Final = "the columns of one table, as arrays"
_RESULT: Final = "what one row of a result holds"
_SECTIONS: Final = "what one page shows: a field for each part of it"
_NUMBERS: Final = "the numbers of one formula, under their names"
EXCEPTIONS: Final[Mapping[str, str]] = {
    "src/promptrial/scoring/refusal_table/english.py": _PHRASES,
    "src/promptrial/scoring/refusal_table/european.py": _PHRASES,
    "src/promptrial/engine/request.py:RunRequest": _FLAGS,
    "src/promptrial_emulator/settings.py:EmulatorSettings": _FLAGS,
    "src/promptrial/stats/score_table.py:ScoreTable": _COLUMNS,
    "src/promptrial/stats/pairing.py:PairedSample": _COLUMNS,
    "src/promptrial/stats/pairing.py:Pairing": _COLUMNS,
    "src/promptrial/comparison/elsewhere/collecting.py:Answers": _COLUMNS,
    "src/promptrial/stats/difference.py:DifferenceTest": _RESULT,
    "src/promptrial/stats/paired.py:PairedDifference": _RESULT,
    "src/promptrial/phases/quoted.py:Quoted": _RESULT,
    "src/promptrial/model/values.py:Completion": _RESULT,
    "src/promptrial/model/values.py:Trial": "what a manifest has on record of a trial",
    "src/promptrial/legacy/reading.py:LegacyTrial": "what the older tool had on record of a trial",
    "src/promptrial/reporting/facts.py:RunFacts": _SECTIONS,
    "src/promptrial/reporting/facts.py:TrialFacts": _SECTIONS,
    "src/promptrial/engine/previewing.py:Planned": _SECTIONS,
    "src/promptrial/datasets/base.py:DatasetFormat": "what one format says of itself, once",
    "src/promptrial/datasets/base.py:new_item": "the fields of an item, under their names",
    "src/promptrial/stats/statistic.py:estimate_row": "the columns of a row, under their names",
    "src/promptrial/stats/margins.py:clustered_margin_test": _NUMBERS,
    "src/promptrial/stats/power.py:miller_sample_size": _NUMBERS,
    "src/promptrial/cli/parser.py:add_flag": "what argparse takes, and what it does not know, under their names",
}
"""Place -> why it may be above its limit."""


@dataclass(frozen=True, slots=True)
class Place:
    """A figure, and what it is the figure of: a file, or a function or class in one."""

    figure: int
    name: str


@dataclass(frozen=True, slots=True)
class Measure:
    """All figures of one kind, the largest first."""

    places: tuple[Place, ...]

    @property
    def largest(self) -> Place:
        """The place with the largest figure."""
        return self.places[0]

    def above(self, limit: int, exceptions: Iterable[str]) -> list[Place]:
        """Return the places above a limit for which there is no exception."""
        return [place for place in self.places if place.figure > limit and place.name not in exceptions]


@dataclass(frozen=True, slots=True)
class Shape:
    """What was measured of a tree of sources; ``complexity`` is ruff's."""

    functions: Measure
    files: Measure
    fields: Measure
    parameters: Measure
    complexity: Measure

    def limited(self) -> Iterator[tuple[str, Measure]]:
        """Yield each kind of figure that has a limit for every place, by the name of the limit."""
        yield "lines of a function", self.functions
        yield "lines of a file", self.files
        yield "fields of a class", self.fields
        yield "parameters of a function", self.parameters
        yield "complexity of a function", self.complexity

    def of_all(self) -> Iterator[tuple[str, int]]:
        """Yield each figure of all functions together, by the name of its limit."""
        lines = sorted(place.figure for place in self.functions.places)
        yield "lines of a function, median", round(statistics.median(lines))
        yield "lines of a function, 90th percentile", lines[len(lines) * 9 // 10]


def _measure(places: Iterable[Place]) -> Measure:
    return Measure(tuple(sorted(places, key=lambda place: (-place.figure, place.name))))


def shape_of_sources(root: Path, folders: Sequence[str]) -> Shape:
    """Measure all Python files in some folders of a project."""
    sources = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
    }
    return measured(sources, _complexities(root, folders))


def measured(sources: Mapping[str, str], complexity: Iterable[Place] = ()) -> Shape:
    """Measure sources by their names."""
    functions: list[Place] = []
    fields: list[Place] = []
    parameters: list[Place] = []
    for file, source in sources.items():
        for name, node in _named(ast.parse(source)):
            place = f"{file}:{name}"
            if isinstance(node, ast.ClassDef):
                fields.append(Place(0 if _is_record(node) else _fields(node), place))
            else:
                functions.append(Place(_lines(node), place))
                parameters.append(Place(_parameters(node), place))
    files = [Place(len(source.splitlines()), file) for file, source in sources.items()]
    return Shape(_measure(functions), _measure(files), _measure(fields), _measure(parameters), _measure(complexity))


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _named(tree: ast.AST, within: str = "") -> Iterator[tuple[str, _Function | ast.ClassDef]]:
    """Yield each function and class with its name, that of a method with its class."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield within + node.name, node
            yield from _named(node, f"{within}{node.name}.")
        else:
            yield from _named(node, within)


def _lines(node: _Function) -> int:
    """Return the lines of a function, from ``def`` to its end, without the docstring."""
    lines, first = (node.end_lineno or node.lineno) - node.lineno + 1, node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _parameters(node: _Function) -> int:
    arguments = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in arguments if name not in {"self", "cls"}])


def _fields(node: ast.ClassDef) -> int:
    annotated = [line for line in node.body if isinstance(line, ast.AnnAssign)]
    return sum(not ast.unparse(line.annotation).startswith(("ClassVar", "Final")) for line in annotated)


def _is_record(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).rpartition(".")[2] in RECORDS for base in node.bases)


def _complexities(root: Path, folders: Sequence[str]) -> Iterator[Place]:
    """Yield the complexity of each function above 5, as ruff computes it."""
    command = ("ruff", "check", "--isolated", "--select", "C901", "--config", "lint.mccabe.max-complexity=5",
               "--output-format", "concise", "--no-cache", "--exit-zero", *folders)  # fmt: skip
    found = subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=True)
    for file, name, figure in re.findall(r"^(\S+?):\d+:\d+: C901 `(\w+)` .*\((\d+) > 5\)$", found.stdout, re.MULTILINE):
        yield Place(int(figure), f"{Path(file).as_posix()}:{name}")


def problems(shape: Shape, exceptions: Mapping[str, str] = EXCEPTIONS) -> list[str]:
    """Return a line for each figure above its limit, and for each exception that is not needed."""
    found = [f"{what}: {figure}, limit {LIMITS[what]}" for what, figure in shape.of_all() if figure > LIMITS[what]]
    needed: set[str] = set()
    for what, measure in shape.limited():
        needed |= {place.name for place in measure.above(LIMITS[what], ())}
        found += [f"{what}: {each.figure} in {each.name}" for each in measure.above(LIMITS[what], exceptions)]
    spare = [name for name in exceptions if name not in needed]
    return found + [f"this exception is not needed: {name}" for name in spare]


def main() -> int:
    """Print the figures; return the exit code."""
    shape = shape_of_sources(ROOT, ("src", "scripts", "fireworks"))
    rows = [(what, figure, "") for what, figure in shape.of_all()]
    for what, measure in shape.limited():
        inside = next(place for place in measure.places if place.name not in EXCEPTIONS)
        rows.append((f"{what}, largest", inside.figure, inside.name))
    for what, figure, name in rows:
        print(f"{what:38} {figure:4} of at most {LIMITS[what.removesuffix(', largest')]:3}  {name}".rstrip())
    print(f"{len(EXCEPTIONS)} exceptions with a reason each, in tests/support/shape.py")
    found = problems(shape)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

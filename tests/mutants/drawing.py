"""Draws bugs at random: places in the sources by their digests, and at each place one change that Cosmic Ray knows.

A place is ranked by the digest of the seed and of where it is: its module, function and line of code, without the
number of the line. The first of each package are drawn. So an edit changes which bugs are drawn only where it is made.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "SEED", "DrawnBug", "draw"]

PACKAGES: Final = ("costs", "design", "jobs", "reporting", "scoring", "stats", "store")
SEED: Final = 1
_DATA: Final = "scoring/refusal_table/"
"""Modules that hold expressions of languages and no code."""
_LONGEST_LITERAL: Final = 8
"""A module's constant with more literals than this is a table of data, and none of its numbers is changed."""

_FAMILIES: Final = {
    "ReplaceBinaryOperator": (
        ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"),
        ("BitOr", "BitAnd", "BitXor"),
        ("RShift", "LShift"),
    ),
    "ReplaceComparisonOperator": (("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"), ("Is", "IsNot")),
}
"""Operators that replace each other; "is" for "==" depends on which values the interpreter keeps once."""
_OTHERS: Final = (
    "ReplaceUnaryOperator_Delete_USub",
    "ReplaceUnaryOperator_Delete_Invert",
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
)

_OF_CLASSES: Final = {"compare", "frozen", "gc", "init", "kw_only", "repr", "slots"}
"""Arguments of classes and of their fields that guard against mistakes or save memory."""

_Place = tuple[int, int]
_Change = tuple[str, int, int]
"""The name of an operator, which of its changes of one node, and which of all in the module."""


@dataclass(frozen=True)
class DrawnBug:
    """One bug: ``source`` is what ``module`` (from ``src/promptrial``) becomes, ``old`` the lines that become ``new``.

    ``lines`` are those of the statement that is changed; ``is_in_function`` says that calls execute it, not an import.
    """

    module: str
    function: str
    line: int
    lines: range
    is_in_function: bool
    operator: str
    old: str
    new: str
    source: str

    @property
    def name(self) -> str:
        """Where it is, and what it changes."""
        return f"{self.module}:{self.line} in {self.function}, {self.operator}\n    - {self.old}\n    + {self.new}"


def draw(sources: Path, number: int, seed: int = SEED) -> list[DrawnBug]:
    """Draw ``number`` bugs from the packages below ``sources``, as many from each as from any other, or one more."""
    drawn = []
    for index, package in enumerate(PACKAGES):
        share = number // len(PACKAGES) + (index < number % len(PACKAGES))
        drawn += _of_package(sources, package, share, seed)
    return drawn


def _of_package(sources: Path, package: str, share: int, seed: int) -> list[DrawnBug]:
    ranked = []
    for path in sorted((sources / package).rglob("*.py")):
        module = _Module(path.relative_to(sources).as_posix(), path.read_text(encoding="utf-8"))
        if not module.name.startswith(_DATA):
            ranked += [
                (_digest(seed, module.name, key), module, place, changes) for place, key, changes in module.places()
            ]
    ranked.sort(key=lambda each: each[0])
    bugs = (module.bug_at(place, changes, rank) for rank, module, place, changes in ranked)
    return list(islice((bug for bug in bugs if bug), share))


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


class _Module:
    """A module, and where it can be changed."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        self._tree = ast.parse(text)

    def places(self) -> Iterator[tuple[_Place, str, list[_Change]]]:
        """Yield each place where an operator changes code, its code without the line number, and the changes."""
        excluded = list(_excluded(self._tree))
        lines = self._text.splitlines()
        seen = Counter[str]()
        for place, changes in sorted(_changes(self._text).items()):
            if not any(start <= place < end for start, end in excluded):
                line = lines[place[0] - 1]
                key = f"{self._function(place)} {line.strip()} {place[1] - len(line) + len(line.lstrip())}"
                seen[key] += 1
                yield place, f"{key} {seen[key]}", changes

    def bug_at(self, place: _Place, changes: list[_Change], rank: str) -> DrawnBug | None:
        """Return the bug at a place: the first change, in the order of digests, that leaves Python."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        for name, _, occurrence in sorted(changes, key=lambda change: _digest(rank, *change[:2])):
            try:
                source = mutate_code(self._text, get_operator(f"core/{name}")(), occurrence)
            except (
                AttributeError
            ):  # the exception of a module, such as httpx.HTTPError, which Cosmic Ray cannot replace
                continue
            if source is not None and _compiles(source):
                old, new = _difference(self._text, source)
                lines, is_in_function = self._statement(place)
                function = self._function(place)
                return DrawnBug(self.name, function, place[0], lines, is_in_function, name, old, new, source)
        return None

    def _function(self, place: _Place) -> str:
        """Return the name of the innermost function or class around a place, with those around it."""
        names = []
        for node in ast.walk(self._tree):  # from the outside in
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno <= place[0] <= (node.end_lineno or 0):
                names.append(node.name)
        return ".".join(names)

    def _statement(self, place: _Place) -> tuple[range, bool]:
        """Return the lines of the innermost statement around a place without its body, and whether calls execute it."""
        line = place[0]
        lines, is_in_function = range(line, line + 1), False
        for node in ast.walk(self._tree):  # from the outside in
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
                body: list[ast.stmt] = getattr(node, "body", [])
                after = max(body[0].lineno, node.lineno + 1) if body else (node.end_lineno or 0) + 1
                is_in_function |= isinstance(node, ast.FunctionDef) and line >= after
                lines = range(node.lineno, after) if line < after else range(line, line + 1)
        return lines, is_in_function


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compile(source, "mutant", "exec")
    except (SyntaxError, SyntaxWarning):
        return False
    return True


def _difference(old: str, new: str) -> tuple[str, str]:
    """Return the lines that differ, before and after."""
    before, after = old.splitlines(), new.splitlines()
    longer = len(after) - len(before)
    start = next(at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    end = next(at for at in range(len(before), 0, -1) if before[at - 1] != after[at - 1 + longer])
    return "\n".join(before[start:end]).strip(), "\n".join(after[start : end + longer]).strip()


def _excluded(tree: ast.Module) -> Iterator[tuple[_Place, _Place]]:
    """Yield where no bug is drawn: what only tools and readers read, and tables of data."""
    for node in ast.walk(tree):
        for part in _of_no_behaviour(node):
            yield (part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            literals = sum(isinstance(each, ast.Constant) for each in ast.walk(node.value))
            if literals > _LONGEST_LITERAL:
                yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def _of_no_behaviour(node: ast.AST) -> list[ast.expr | ast.keyword | ast.stmt]:
    """Return the parts of a node that decide nothing: annotations, decorators, and guards against mistakes."""
    parts: list[ast.expr | ast.keyword | ast.stmt]
    match node:
        case ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation):
            parts = [annotation]
        case ast.FunctionDef():
            parts = [*node.decorator_list, *([node.returns] if node.returns else [])]
        case ast.ClassDef():
            parts = [*node.decorator_list, *(each for each in node.keywords if each.arg in _OF_CLASSES)]
        case ast.Call(func=ast.Name(id="field")):
            parts = [each for each in node.keywords if each.arg in _OF_CLASSES]
        case ast.Call(func=ast.Name(id="zip")):
            parts = [each for each in node.keywords if each.arg == "strict"]
        case ast.Assert() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            parts = [node]
        case _:
            parts = []
    return parts


def _changes(text: str) -> dict[_Place, list[_Change]]:
    """Return the changes of every operator by their places."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    nodes = list(ast_nodes(get_ast(text)))
    operators = [node for node in nodes if node.type == "operator"]
    of_parameters = {node.start_pos for node in operators if node.parent.type == "parameters"}  # a mark, not a product
    comparisons = [node for node in nodes if node.type == "comparison"]
    rest = [node for node in nodes if node.type not in {"operator", "comparison", "name", "newline", "string"}]
    found = defaultdict[_Place, list[_Change]](list)
    for name in _operators():
        operator = get_operator(f"core/{name}")()
        kind = operators if "Binary" in name else comparisons if "Comparison" in name else rest
        positions = (
            (start, index) for node in kind for index, (start, _) in enumerate(operator.mutation_positions(node))
        )
        for occurrence, (start, index) in enumerate(positions):
            if start not in of_parameters:
                found[start].append((name, index, occurrence))
    return found


def _operators() -> tuple[str, ...]:
    """Return the names of the operators that bugs are drawn by."""
    pairs = [
        f"{kind}_{one}_{other}"
        for kind, families in _FAMILIES.items()
        for family in families
        for one, other in permutations(family, 2)
    ]
    return (*pairs, *_OTHERS)

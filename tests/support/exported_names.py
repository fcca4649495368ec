"""Which names of an ``__all__`` nothing uses but the module itself.

A name is used where a file imports it, where a file that has imported the module reads it from there, and where a text
names it with its module, as the registry and ``monkeypatch`` do: ``module:name``, ``module.name``. A type that occurs
in the signature of another name in the ``__all__`` is used too: its callers get one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

__all__ = ["exported", "unused"]

_FROM: Final = re.compile(r"\bfrom\s+(promptrial[\w.]*)\s+import\s+(\([^)]*\)|[^\n;\"]+)")
_IMPORT: Final = re.compile(r"^\s*import\s+(promptrial[\w.]*)(?:\s+as\s+(\w+))?", re.MULTILINE)
_NAMED: Final = re.compile(r"\b(promptrial[\w.]*)[.:](\w+)")
_ONE: Final = re.compile(r"(\w+)(?:\s+as\s+(\w+))?")
_COMMENT: Final = re.compile(r"#[^\n]*")


def exported(source: str) -> list[str]:
    """Return the names in the ``__all__`` of a source."""
    return _exported(ast.parse(source))


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def unused(modules: Mapping[str, str], others: Iterable[str]) -> list[str]:
    """Return each ``module.name`` that is in an ``__all__`` and that no other text uses, sorted.

    Parameters
    ----------
    modules : mapping
        The sources of all modules, by their full names.
    others : iterable of str
        What else may use them: tests, scripts, pages of the documentation.
    """
    used: set[tuple[str, str]] = set()
    for own, text in [*modules.items(), *(("", text) for text in others)]:
        used.update((module, name) for module, name in _uses(text, modules) if module != own)
    found: list[str] = []
    for module, source in modules.items():
        tree = ast.parse(source)
        names = _exported(tree)
        in_signatures = set(_names_in_signatures(tree, names))
        found += [f"{module}.{name}" for name in names if (module, name) not in used and name not in in_signatures]
    return sorted(found)


def _names_in_signatures(tree: ast.Module, names: Iterable[str]) -> Iterator[str]:
    """Yield the names in annotations of what is exported, in its aliases of types, and in bases of its classes."""
    for node in tree.body:
        own = _own_names(node)
        if own & set(names):
            yield from (name for part in _signature(node) for name in _words(part) if name not in own)


def _own_names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {ast.unparse(target) for target in targets}


def _signature(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the annotations of a function, of the fields and public methods of a class, or an alias of a type."""
    if isinstance(node, ast.FunctionDef):
        yield from (part for part in (node.args, node.returns) if part is not None)
    elif isinstance(node, ast.AnnAssign):
        yield node.annotation
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
        yield node.value
    elif isinstance(node, ast.ClassDef):
        yield from node.bases
        for each in node.body:
            if not isinstance(each, ast.FunctionDef) or each.name == "__init__" or not each.name.startswith("_"):
                yield from _signature(each)


def _words(node: ast.AST) -> Iterator[str]:
    """Yield the names in an annotation, those in a text among them."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield from re.findall(r"\w+", each.value)


def _uses(text: str, modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield module and name of all that a text uses."""
    aliases: dict[str, str] = {}
    for module, names in _FROM.findall(text):
        for name, alias in _ONE.findall(_COMMENT.sub("", names)):
            yield module, name
            if f"{module}.{name}" in modules:
                aliases[alias or name] = f"{module}.{name}"
    aliases.update((alias, module) for module, alias in _IMPORT.findall(text) if alias)
    yield from _NAMED.findall(text)
    for alias, module in aliases.items():
        for name in re.findall(rf"\b{alias}\.(\w+)", text):
            yield module, name

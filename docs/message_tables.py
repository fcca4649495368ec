"""Tables of docs/messages*.md: every error and warning, from the calls in the code that make them.

An error is a call of a class of ``promptrial.errors`` or of one derived from it, or of a function that returns such an
error; a warning is a call of ``warn``. A message is shown with ``{name}`` for what only the running program knows.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import promptrial
from promptrial import errors

__all__ = ["GENERATED", "PAGES", "Message", "messages", "pattern"]

ROOT: Final = Path(promptrial.__file__).parent
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "messages.md": ("cli", "care", "engine"),
    "messages_files.md": ("archive", "store", "documents", "runtime", "legacy"),
    "messages_experiment.md": ("config", "design"),
    "messages_results.md": ("phases", "scoring", "comparison"),
    "messages_questions.md": ("datasets",),
    "messages_providers.md": ("providers", "jobs"),
}
"""By page, the packages whose messages it lists."""
_AS_USAGE: Final = {"ArgumentTypeError": "UsageError"}
_AS_CONFIG: Final = {"ValueError": "ConfigError", "PydanticCustomError": "ConfigError", "SettingsError": "ConfigError"}
_CONFIG: Final = ("config/", "scoring/")
_WARNING: Final = "Warning"
_ASIDES: Final = {"near", "near_misses", "did_you_mean", "held", "why", "other_columns"}
"""Functions whose text only adds to a message, such as what may have been meant."""
_MOST: Final = 3
"""How deep names are followed to what they stand for."""
WHAT_TO_DO: Final = {
    "UsageError": "Correct the command; `promptrial COMMAND --help` lists its flags.",
    "ConfigError": "Correct the configuration; `promptrial config check` lists every problem.",
    "DataError": "Correct the file at the place that the message names.",
    "MissingDependencyError": "Install the package that the message names.",
    "ResumeError": "See what was changed: `promptrial doctor RUN`.",
    "RunLockedError": "Wait for the other process, or stop it: `promptrial stop RUN --wait`.",
    "CorruptRecordError": "See how to fix it: `promptrial doctor RUN`.",
    "IllegalTransitionError": "See whether a record of the run is damaged: `promptrial doctor RUN`.",
    "PhaseBlockedError": "Select the steps that are needed, or none.",
    "PhaseFailedError": "Fix the cause that the message gives, then resume.",
    "ScoreError": "Fix the scorer, then resume; only score to report run again.",
    "SelfTestError": "Run `promptrial audit`, and correct the prompt or `scoring.refusals`.",
    "OverCapError": "Resume with a higher `--max_cost_usd`.",
    "ReaderGoneError": "Nothing: the reader has what it wanted, and no error is printed.",
    "OutputError": "Run the command again, with an output that can be written.",
    "TransientError": "Nothing: the call is repeated. If the run ends, resume it.",
    "OutcomeUnknownError": "Resume: the job is looked for first, and nothing is paid for twice.",
    "QuotaReachedError": "Nothing: the job is sent when there is capacity.",
    "UndecidedError": "Nothing: the jobs are told apart when they have ended.",
    "PermanentError": "Fix the cause that the provider gives, then resume.",
    "ProviderError": "See the provider's console, then resume.",
    "ActionNeeded": "Take the steps that are printed, then resume.",
    "StopRequested": "Resume with the command that is printed.",
    "PromptrialError": "Fix the cause that the message gives, then run the command again.",
    "Warning": "Nothing: the run continues.",
}
"""What to do about a kind of message that names nothing itself: that of the nearest class."""


class Message(NamedTuple):
    """One message: its text with ``{name}`` for what varies, its exit code (None of a warning), and what to do."""

    package: str
    text: str
    exit_code: int | None
    what_to_do: str


@dataclass(frozen=True)
class _Helper:
    """A function that returns an error: its parameters, and the template into which they are put."""

    kind: str
    parameters: tuple[str, ...]
    text: str
    hint: str


@dataclass
class _Code:
    """The errors that the package defines, and the functions that return one."""

    bases: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    helpers: dict[tuple[str, str], _Helper] = field(default_factory=dict)

    def lineage(self, kind: str) -> Iterator[str]:
        """Yield a class of errors and those that it is derived from."""
        while kind:
            yield kind
            kind = self.bases.get(kind, "")

    def exit_code(self, kind: str) -> int | None:
        """Return the exit code of a class of errors."""
        return next((self.exit_codes[each] for each in self.lineage(kind) if each in self.exit_codes), 1)


@functools.cache
def messages(root: Path = ROOT) -> list[Message]:
    """Return every message of the package, sorted, each once."""
    paths = {
        path.relative_to(root).as_posix(): path for path in root.rglob("*.py") if "refusal_table" not in path.parts
    }
    modules = {name: _module(ast.parse(path.read_text("utf-8"))) for name, path in paths.items()}
    code = _Code()
    _learn_errors(code, [each for module in modules.values() for each in module.classes])
    for name, module in modules.items():
        _learn_helpers(code, name, module)
    found = {message for name, module in modules.items() for message in _in_module(code, name, module)}
    return sorted(found, key=lambda each: (each.package, each.text.lower().lstrip("{"), each.what_to_do))


def pattern(text: str) -> re.Pattern[str]:
    """Return what matches a message as it is printed: each ``{name}`` stands for any text."""
    return re.compile("".join(".*" if each.startswith("{") else re.escape(each) for each in _pieces(text)), re.DOTALL)


def _pieces(text: str) -> list[str]:
    return [each for each in re.split(r"(\{\w+\})", text) if each]


@dataclass
class _Module:
    """A module as it is read: its tree, classes and functions, and each call with the innermost function around it."""

    tree: ast.Module
    classes: list[ast.ClassDef] = field(default_factory=list)
    functions: list[ast.FunctionDef] = field(default_factory=list)
    calls: list[tuple[ast.AST, ast.Call]] = field(default_factory=list)


def _module(tree: ast.Module) -> _Module:
    module = _Module(tree)

    def look(node: ast.AST, function: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.Call):
                module.calls.append((function, child))
            elif isinstance(child, ast.ClassDef):
                module.classes.append(child)
            elif isinstance(child, ast.FunctionDef):
                module.functions.append(child)
                inside = child
            look(child, inside)

    look(tree, tree)
    return module


def _learn_errors(code: _Code, classes: list[ast.ClassDef]) -> None:
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.PromptrialError | errors.StopRequested):
            base = kind.__base__
            code.bases[name] = "" if base in {None, Exception, BaseException} else base.__name__
            code.exit_codes[name] = kind.exit_code
    known = -1
    while known != len(code.bases):
        known = len(code.bases)
        for node in classes:
            base_names = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in code.bases]
            if base_names:
                code.bases.setdefault(node.name, base_names[0])


def _learn_helpers(code: _Code, name: str, module: _Module) -> None:
    for node in module.functions:
        returned = node.returns
        if isinstance(returned, ast.Name) and returned.id in code.bases:
            parameters = tuple(each.arg for each in (*node.args.args, *node.args.kwonlyargs) if each.arg != "self")
            calls = [call for function, call in module.calls if function is node and _kind(code, name, call)]
            text, hint = _made(module, node, calls[-1]) if calls else ("", "")
            code.helpers[name, node.name] = _Helper(returned.id, parameters, text, hint)


def _in_module(code: _Code, name: str, module: _Module) -> Iterator[Message]:
    package = name.partition("/")[0] if "/" in name else "config"
    for function, call in module.calls:
        kind, helper = _kind(code, name, call), _helper(code, name, call)
        if kind is not None and call.args:
            text, hint = _made(module, function, call)
        elif kind is None and helper is not None:
            kind = helper.kind
            text, hint = _through_helper(helper, module, function, call)
        else:
            continue
        if _says_something(text):
            done = hint if _says_something(hint) else _usual(code, kind)
            yield Message(package, text, None if kind == _WARNING else code.exit_code(kind), done)


def _usual(code: _Code, kind: str) -> str:
    return next(WHAT_TO_DO[each] for each in (*code.lineage(kind), "PromptrialError") if each in WHAT_TO_DO)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _kind(code: _Code, module: str, call: ast.Call) -> str | None:
    """Return the class of the error that a call makes, or ``Warning``; None of another call."""
    name = _called(call)
    if name == "warn" and isinstance(call.func, ast.Attribute):
        return _WARNING
    if name in _AS_USAGE:
        return _AS_USAGE[name]
    if name in _AS_CONFIG and module.startswith(_CONFIG):
        return _AS_CONFIG[name]
    return name if name in code.bases else None


def _helper(code: _Code, module: str, call: ast.Call) -> _Helper | None:
    """Return the function that returns an error; one of the same module comes first."""
    name = _called(call)
    own = code.helpers.get((module, name))
    of_self = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "self"
    if own is not None or of_self or name.startswith("_"):
        return own
    return next((each for (_, other), each in code.helpers.items() if other == name), None)


def _made(module: _Module, function: ast.AST, call: ast.Call) -> tuple[str, str]:
    """Return the text and the hint of an error that a call makes."""
    if not call.args:
        return "", ""
    names = _Names(module.tree, function)
    first = call.args[min(_PLACES.get(_called(call), 0), len(call.args) - 1)]
    if isinstance(first, ast.Call) and _called(first) == "text" and first.args:  # a call of a vendor's API
        text = f"{{vendor}}: could not {{do}}: {names.text(first.args[0])}"
    else:
        text = names.text(first)
    return text, next((names.text(each.value) for each in call.keywords if each.arg == "hint"), "")


_PLACES: Final = {"PydanticCustomError": 1}
"""Which argument is the message, where it is not the first."""


def _through_helper(helper: _Helper, module: _Module, function: ast.AST, call: ast.Call) -> tuple[str, str]:
    """Return the text and the hint of an error that a function makes of what it is given."""
    names = _Names(module.tree, function)
    given = dict(zip(helper.parameters, call.args, strict=False))
    given |= {each.arg: each.value for each in call.keywords if each.arg}
    texts = {name: text for name, node in given.items() if _says_something(text := names.text(node))}
    if not texts:
        return "", ""
    return _filled(helper.text, texts) or next(iter(texts.values())), _filled(helper.hint, texts)


def _filled(template: str, texts: Mapping[str, str]) -> str:
    return "".join(texts.get(each[1:-1], each) if each.startswith("{") else each for each in _pieces(template))


def _says_something(text: str) -> bool:
    """Whether a text has words of its own, besides what only the running program knows."""
    return re.search(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", text)) is not None


class _Names:
    """What names stand for in a function: texts that it or its module gives them once."""

    def __init__(self, tree: ast.Module, function: ast.AST) -> None:
        self._values = self._given(tree.body) | self._given([*ast.walk(function)] if function is not tree else [])

    @staticmethod
    def _given(nodes: list[ast.stmt] | list[ast.AST]) -> dict[str, ast.expr]:
        found: dict[str, list[ast.expr]] = {}
        for node in nodes:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(targets[0], ast.Name) and value is not None:
                found.setdefault(targets[0].id, []).append(value)
            elif isinstance(node, ast.Assign) and isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(targets[0].elts, value.elts, strict=False)
                for name, each in pairs:
                    found.setdefault(getattr(name, "id", ""), []).append(each)
        return {name: values[0] for name, values in found.items() if len(values) == 1}

    def text(self, node: ast.expr, depth: int = 0) -> str:
        """Return a text with ``{name}`` for what is not known."""
        match node:
            case ast.Constant(value=str(said)):
                return said
            case ast.JoinedStr(values=parts):
                return "".join(self.text(part, depth) for part in parts)
            case ast.FormattedValue(value=value):
                return self.text(value, depth)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.text(left, depth) + self.text(right, depth)
            case ast.IfExp(body=one, orelse=other):
                return "/".join(filter(None, (self.text(one, depth), self.text(other, depth))))
        return self._known(node, depth)

    def _known(self, node: ast.expr, depth: int) -> str:
        if isinstance(node, ast.Call) and _called(node).strip("_") in _ASIDES:
            return ""
        if isinstance(node, ast.Name) and node.id in self._values and depth < _MOST:
            inner = self.text(self._values[node.id], depth + 1)
            if _says_something(inner):
                return inner
        return f"{{{_name(node)}}}"


def _name(node: ast.AST) -> str:
    """Return what to call a value that only the running program knows."""
    found: str | ast.AST = "value"
    match node:
        case ast.Name(id=name):
            found = name.strip("_").lower()
        case ast.Attribute(value=value, attr="name" | "message" | "strerror") if _name(value) != "self":
            found = value
        case ast.Attribute(attr=name):
            found = name.strip("_")
        case ast.Call(func=func, args=arguments):
            inside = [each for each in arguments if not isinstance(each, ast.Constant)]
            of = func.value if isinstance(func, ast.Attribute) else func
            found = inside[-1 if _called(node) == "map" else 0] if inside else of
        case ast.Subscript(value=value) | ast.Starred(value=value) | ast.BinOp(left=value):
            found = value
        case ast.BoolOp(values=[first, *_]):
            found = first
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            found = first.iter
    return found if isinstance(found, str) else _name(found)


def _cell(text: str) -> str:
    """Return a text for a cell of a table, as code that keeps its signs."""
    shown = " ".join(text.split()).replace("|", "\\|")
    marks = "``" if "`" in shown else "`"
    return f"{marks} {shown} {marks}" if "`" in shown else f"{marks}{shown}{marks}"


def _table(package: str) -> str:
    rows = ["| message | exit code | what to do |", "|---|---|---|"]
    for each in messages():
        if each.package == package:
            code = "warning" if each.exit_code is None else str(each.exit_code)
            done = each.what_to_do if each.what_to_do in WHAT_TO_DO.values() else _cell(each.what_to_do)
            rows.append(f"| {_cell(each.text)} | {code} | {done} |")
    return "\n".join(rows) + "\n"


GENERATED: Final[dict[str, Callable[[], str]]] = {
    f"messages {package}": (lambda package=package: _table(package))  # type: ignore[misc]  # mypy cannot infer such a lambda
    for packages in PAGES.values()
    for package in packages
}

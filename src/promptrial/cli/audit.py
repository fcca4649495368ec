"""``promptrial audit``: what the prompts of a configuration are, before a run and without a request."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from promptrial.cli.options import config_file
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import DEFAULT_CONFIG, environment
from promptrial.errors import MissingDependencyError
from promptrial.model import ModelSpec
from promptrial.runtime.terminal import print_result, say_to_stderr, terminal_width

if TYPE_CHECKING:
    from promptrial.config.loading import LoadedConfig
    from promptrial.datasets.base import DatasetFormat
    from promptrial.design.audit import Counter
    from promptrial.documents.audit import AuditDocument, Gold, ModelAudit
    from promptrial.engine.providers import Providers
    from promptrial.providers.base import BatchProvider
    from promptrial.reporting.cells import Table

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Check the prompts of a configuration: tokens by arm, the cost of longer prompts, abstentions, and the
lengths of prompts that have to match.

Sends nothing to a model and needs no run.

The exit code is 100 if a length_matched prompt does not have the required length (or this cannot be checked), if the
scorer does not recognise an abstention ("I don't know.") that a prompt asks for, or if a scorer cannot use an accepted
answer of a local question file."""
_NOT_PASSED: Final = 100
_BUILT_IN: Final = ModelSpec("smollm2-135m", "smollm2-135m-instruct", "embedded")


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_flag(parser, "config", f"configuration file (default: {DEFAULT_CONFIG})", type=config_file, metavar="FILE",
             default=DEFAULT_CONFIG)  # fmt: skip
    add_flag(parser, "tolerance", "maximum relative difference between the length of a length_matched prompt and its "
                                  "target (default: 0.02)", type=_share,
             default=0.02, metavar="X")  # fmt: skip
    add_flag(parser, "match_to", "prompt set whose first treatment sets the target length (default: the one named "
                                 "`default`)",
             default="default", metavar="NAME")  # fmt: skip
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print the audit; return 100 if a check is not passed.

    Raises
    ------
    ConfigError
        If the configuration, or a prompt that it names, is wrong.
    DataError
        If a question file whose format the configuration leaves open is wrong.
    """
    from promptrial.design.audit import audit
    from promptrial.engine.resolving import load_resolved
    from promptrial.phases.settings import scoring_settings

    env = environment(os.environ, Path.cwd())
    loaded, _ = load_resolved(args.config, env)
    settings = scoring_settings(loaded.experiment)
    golds, unusable = _golds(loaded)
    with _counters(loaded, env) as counters:
        found = audit(
            loaded.experiment,
            counters,
            settings,
            golds=golds,
            others=unusable,
            tolerance=args.tolerance,
            match_to=args.match_to,
        )
    print_result(_as_json(found) if args.json else _as_text(found, terminal_width()))
    for problem in found.problems:
        say_to_stderr(f"check failed: {problem}")
    return 0 if found.passed else _NOT_PASSED


def _golds(loaded: LoadedConfig) -> tuple[list[Gold], list[str]]:
    """Return the accepted answers in local question files that read as refusals, and what is said about unusable ones.

    Side effects: says which file cannot be read, and what is odd about a data set as a whole.
    """
    from promptrial.datasets.base import reading_of
    from promptrial.documents.audit import Gold
    from promptrial.errors import DataError
    from promptrial.phases.scorers import package_scorers
    from promptrial.scoring.golds import GoldCheck, UnusableGolds
    from promptrial.scoring.whole_sets import WholeSetCheck

    golds: list[Gold] = []
    problems: list[str] = []
    scorers = package_scorers(loaded.experiment)
    for name, dataset in loaded.experiment.datasets.items():
        if dataset.path is None:
            continue
        check, unusable = GoldCheck(loaded.experiment.scoring.extra_refusals), UnusableGolds(scorers)
        path, ids, whole = loaded.folder / dataset.path, list[str](), WholeSetCheck()
        format_: DatasetFormat = registry.load("dataset format", dataset.known_format)
        try:
            for place, item in format_.placed([path], name, reading_of(dataset)):
                check.notice(place, item)
                unusable.notice(place, item)
                whole.notice(item)
                ids.append(item.id)
        except DataError as error:
            say_to_stderr(f"the gold answers of {name} were not checked: {error.message}")
        for warning in whole.warnings(name):
            say_to_stderr(warning)
        try:
            unusable.check(name, ids)
        except DataError as error:
            problems.append(error.message)
        golds += [
            Gold(dataset=name, place=gold.place, item_id=gold.item_id, text=gold.text, only=gold.only)
            for gold in check.found.values()
        ]
    return golds, problems


# --- who counts -------------------------------------------------------------------------------------------------------


@contextmanager
def _counters(loaded: LoadedConfig, env: Mapping[str, str]) -> Iterator[dict[str, Counter]]:
    """Yield how the tokens of each model are counted: by its own tokenizer, by the built-in model's, or not at all.

    A hosted provider has no tokenizer to ask, and is not opened: an audit needs no key.
    """
    from promptrial.design.trials import model_specs
    from promptrial.engine.providers import Providers

    providers = Providers(env, loaded.experiment.providers)
    models = model_specs(loaded.experiment, folder=str(loaded.folder))
    try:
        yield {alias: _own(providers, spec) or _stand_in(providers) for alias, spec in models.items()}
    finally:
        providers.close()


def _own(providers: Providers, spec: ModelSpec) -> Counter | None:
    """Return the tokenizer of a model that is answered on this machine; None if none is available."""
    if not registry.load("provider", spec.adapter).local:
        return None
    return _counter(providers(spec.provider), spec, f"{spec.alias}'s own", exact=True)


def _stand_in(providers: Providers) -> Counter:
    from promptrial.design.audit import Counter, estimated_tokens

    name = f"that of {_BUILT_IN.id}, instead of the model's own"
    estimate = Counter("none; estimated at 4 bytes per token", estimated_tokens, exact=False, estimate=True)
    return _counter(providers(_BUILT_IN.provider), _BUILT_IN, name, exact=False) or estimate


def _counter(provider: BatchProvider, spec: ModelSpec, name: str, *, exact: bool) -> Counter | None:
    from promptrial.design.audit import Counter

    def count(text: str) -> int:
        return provider.count_tokens(spec, text) or 0

    try:
        known = provider.count_tokens(spec, "a")
    except MissingDependencyError:
        return None
    return None if known is None else Counter(name, count, exact)


# --- what is shown ----------------------------------------------------------------------------------------------------


def _as_json(found: AuditDocument) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(found), indent=2) + "\n"


def _as_text(found: AuditDocument, width: int | None) -> str:
    from promptrial.reporting.plain import summary_text

    tables = [table for model in found.models for table in _tables(found, model)]
    n = len(found.problems)
    passed = "all checks passed" if found.passed else f"{n} check{'' if n == 1 else 's'} failed"
    shown = [summary_text(each, width) for each in (*tables, _refusals(found), *_golds_table(found))]
    return "\n".join([*shown, f"Prompts of {found.experiment}: {passed}\n"])


def _tables(found: AuditDocument, model: ModelAudit) -> Iterator[Table]:
    from promptrial.reporting.cells import Table, amount, count

    rows = tuple(
        (
            each.prompt_set,
            name,
            count(arm.tokens),
            count(first.tokens),
            _signed(each.more_tokens),
            amount(each.usd_per_1000_items),
        )
        for each in model.prompt_sets
        for (_, first), (name, arm) in [each.arms.items()]
    )
    notes = [f"Tokenizer: {model.tokenizer}."]
    notes += [] if model.exact else ["With the model's own tokenizer, token counts and costs would differ."]
    times = "once" if found.requests_per_item == 1 else f"{found.requests_per_item} times"
    notes.append(
        "USD: the additional cost of the prompt, compared with the first arm's, for 1,000 items, each asked "
        f"{times} in each arm, at the configured input price. Answers are not included."
    )
    headers = ("Prompt set", "Arm", "Tokens", "First arm", "Difference", "USD")
    yield Table(f"Prompts for {model.model}, served by {model.provider}", headers, rows, tuple(notes), "llrrrr")
    if model.length_matches:
        yield _matches(found, model)


def _matches(found: AuditDocument, model: ModelAudit) -> Table:
    from promptrial.reporting.cells import MISSING, Table, count

    words = {True: "passed", False: "failed", None: "unknown"}
    rows = tuple(
        (
            each.filler,
            count(each.tokens),
            each.to or MISSING,
            count(each.to_tokens),
            MISSING if each.ratio is None else f"{each.ratio:.3f}",
            words[each.passed],
        )
        for each in model.length_matches
    )
    headers = ("Filler", "Tokens", "Target", "Tokens", "Ratio", f"Within {found.tolerance:.1%}")
    return Table(f"Matching lengths for {model.model}", headers, rows, (), "lrlrrl")


def _refusals(found: AuditDocument) -> Table:
    from promptrial.reporting.cells import Table

    rows = tuple((each.file, each.text, each.how, "yes" if each.recognised else "NO") for each in found.refusals)
    return Table("Abstentions in the prompts", ("File", "Abstention", "How", "Recognised"), rows, (), "llll")


def _golds_table(found: AuditDocument) -> Iterator[Table]:
    from promptrial.reporting.cells import Table

    if not found.golds:
        return
    rows = tuple(
        (gold.place.rstrip(":"), gold.item_id, gold.text, "all" if gold.only else "some") for gold in found.golds
    )
    note = (
        "An answer equal to one of these counts as correct. If a question has no answer, set is_unanswerable and "
        "leave its answers empty."
    )
    headers = ("Place", "ID", "Gold answer", "Abstentions among its answers")
    yield Table("Gold answers that read as abstentions", headers, rows, (note,), "llll")


def _signed(value: int | None) -> str:
    from promptrial.reporting.cells import MISSING

    return MISSING if value is None else f"{value:+,}" if value else "0"


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 and below 1, got {text!r}")
    return share

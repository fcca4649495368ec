"""The ledger of a run as it is on disk, with the prices that it uses. Reads only, and takes no lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from promptrial.costs.prices import price_in
from promptrial.documents import cost_report, judges, kept_prices
from promptrial.documents.cost_report import CostReport, Price
from promptrial.documents.files import read_bytes
from promptrial.documents.kept_prices import KeptPrice
from promptrial.documents.ledger import Ledger
from promptrial.errors import CorruptRecordError, PromptrialError
from promptrial.model.arms import ArmName, is_judge, judge_name
from promptrial.phases.ledger import judge_part_names, run_ledger
from promptrial.store.manifests import load_manifest
from promptrial.store.records import RunState, TrialManifest, load
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:  # pydantic is slow to import, and most runs have a costs.json
    from promptrial.config.pricing import ProviderPricing

__all__ = ["is_dry_run", "read_ledger"]


def read_ledger(run: RunDir) -> Ledger:
    """Return what a run has spent, as far as its records say it; the notes name those that cannot be read.

    Prices are those of ``costs.json``, which are the ones that its answers are priced by; before that is written, those
    that the run was started with: of the configuration, or kept with the run.

    Raises
    ------
    NewerVersionError
        If a newer version of the program wrote a record.
    """
    cut, notes = _cut(run), list[str]()
    manifests = dict(_manifests(run, cut, notes))
    if cut is not None:
        for slug, manifest in manifests.items():
            cut.setdefault(slug, set()).update(judge_part_names(manifest, _judges_now(run, slug, manifest)))
    reports = {slug: _cost_report(run, slug) for slug in manifests}
    begun_with = cache(lambda: _BegunWith.of(run, notes))  # costs a look at the configuration, mostly for nothing

    def price_of(slug: str, arm: ArmName) -> Price | None:
        report = None if is_judge(arm) else reports[slug]
        return begun_with().price(manifests[slug], arm) if report is None else _price(report, arm)

    def used_usd(slug: str, arm: ArmName) -> float | None:
        report = reports[slug]
        return None if report is None or arm not in report.conditions else report.conditions[arm].usd

    found = run_ledger(run.run_id, manifests, cut, price_of, used_usd)
    return msgspec.structs.replace(found, notes=tuple(notes), dry_run=is_dry_run(run) or msgspec.UNSET)


def is_dry_run(run: RunDir) -> bool:
    """Whether an emulator answers a run; if its state is lost or damaged, the emulator's folder tells."""
    try:
        return load(run.state_path, RunState).dry_run is True
    except (OSError, PromptrialError):
        return bool(run.emulator.exists())


def _cut(run: RunDir) -> dict[str, set[str]] | None:
    """Return the names of the parts that the run has now, by trial, in order; None before *build*."""
    built = load_manifest(run.batch_inputs / "manifest.json")
    if built is None:
        return None
    cut: dict[str, set[str]] = {}
    for row in built.facts["parts"]:
        cut.setdefault(row["trial_slug"], set()).add(row["part"])
    return cut


def _manifests(
    run: RunDir, cut: Mapping[str, set[str]] | None, notes: list[str]
) -> Iterator[tuple[str, TrialManifest]]:
    """Yield the trials of the run, and after them those that it no longer has but has paid for."""
    folders = sorted(path.parent.name for path in run.root.glob("*/results"))
    for slug in dict.fromkeys((*(cut or ()), *folders)):
        try:
            manifest = run.trial(slug).load_manifest()
        except CorruptRecordError as error:
            if slug in (cut or {slug}) or not _is_of_older_tool(run.trial(slug).manifest_path):
                notes.append(f"{slug} is ignored, because its records are damaged: {error.message}")
            continue
        except OSError as error:
            notes.append(f"{slug} is ignored, because its records cannot be read: {error}")
            continue
        if manifest is not None:
            yield slug, manifest


def _is_of_older_tool(path: Path) -> bool:
    """Whether a manifest is whole, and none of this program: such folders beside those of the run cost it nothing."""
    try:
        found = msgspec.json.decode(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "schema_version" not in found


def _cost_report(run: RunDir, slug: str) -> CostReport | None:
    try:
        return cost_report.decode(read_bytes(run.trial(slug).results / "costs.json"))
    except (FileNotFoundError, ValueError, RecursionError):  # does not exist yet, or damaged: a resume writes it again
        return None


def _judges_now(run: RunDir, slug: str, manifest: TrialManifest) -> set[str]:
    """Return the names of the judges whose verdicts a trial uses: all that it asked, as long as it is not scored."""
    found = judges.read_if_whole(run.trial(slug).results)
    if found is None:
        return set() if isinstance(manifest.judges, msgspec.UnsetType) else {*manifest.judges}
    return {judge_name(each.scorer, each.digest) for each in found.judges}


def _price(report: CostReport, arm: ArmName) -> Price | None:
    own = {} if isinstance(report.arm_prices, msgspec.UnsetType) else report.arm_prices
    return own.get(arm, report.price)


class _BegunWith(msgspec.Struct, frozen=True):
    """The prices that a run was started with: the section ``pricing`` of its configuration, and those kept with it."""

    own: Mapping[str, ProviderPricing]
    kept: tuple[KeptPrice, ...]

    @classmethod
    def of(cls, run: RunDir, notes: list[str]) -> _BegunWith:
        from promptrial.config.recorded import recorded_pricing

        try:
            own = recorded_pricing(run.config_path)
        except FileNotFoundError:
            own = {}
        except CorruptRecordError as error:
            own = {}
            notes.append(f"the prices of the configuration are ignored, because they cannot be read: {error.message}")
        try:
            kept = kept_prices.decode(read_bytes(run.prices_path), str(run.prices_path))
        except FileNotFoundError:
            kept = ()
        except (ValueError, RecursionError):
            kept = ()
            notes.append("the prices that were saved with the run are damaged: its models count as unpriced")
        return cls(own, kept)

    def price(self, manifest: TrialManifest, arm: ArmName) -> Price | None:
        """Return the price of what answers an arm: where there are several, the most expensive."""
        own, hosted = manifest.own(arm), manifest.is_hosted(arm)
        provider = manifest.provider_of(arm)
        alias, model_id = (
            (manifest.trial.get("model_alias"), manifest.trial.get("model_id"))
            if own is None
            else (own.model_alias, own.model_id)
        )
        own_price = price_in(self.own.get(provider), alias, model_id, lambda: hosted)
        if own_price is not None:
            return own_price
        kept = [each.of() for each in self.kept if (each.provider, each.id) == (provider, model_id)]
        return max((price for price in kept if price is not None), key=_dearness, default=None)


def _dearness(price: Price) -> float:
    return (price.input_per_million + price.output_per_million) * (1 - price.batch_discount)

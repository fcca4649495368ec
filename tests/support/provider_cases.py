"""What the provider contract needs of each provider: how it is opened, a model, and where its jobs can be counted.

A new provider joins the contract by one entry of ``CASES``; what the contract asks is not known here.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from promptrial.config.instances import preset_instance
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.anthropic_messages import write_requests
from promptrial.providers.base import PartPayload
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import AnthropicSettings, EmulatorSettings, JobNames
from tests.support.emulator_client import EmulatorClient
from tests.support.llama_server import MODEL, llama_server
from tests.support.other_vendors import OTHER_VENDORS
from tests.support.skips import ENGINE, engine_is_installed

__all__ = ["CASES", "OTHER_CASES", "ProviderCase"]


@dataclass(frozen=True, kw_only=True)
class ProviderCase:
    """One provider, with whatever answers behind it.

    Parameters
    ----------
    env : mapping
        An environment in which it can be opened.
    instance : Instance, optional
        With what it is opened; without one, as the preset of its own name.
    needed : tuple of str
        The variables without any one of which it cannot.
    secrets : tuple of str
        What no text may contain.
    locked_out : mapping
        What to change in the environment so that the vendor lets nobody in; empty if nothing can.
    model : ModelSpec
    no_model : str
        An id that the provider takes for none; empty if it believes any.
    jobs : callable
        Returns the marks of all jobs that were ever accepted, one entry for each.
    mark : callable
        Returns the mark of a payload's job: its key, where the vendor is told that.
    emulated : bool
        Whether the emulator speaks its API, so that it has dry runs.
    """

    env: Mapping[str, str]
    model: ModelSpec
    instance: Instance | None = None
    no_model: str = ""
    needed: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    locked_out: Mapping[str, str] = field(default_factory=dict)
    jobs: Callable[[], list[str]] = list
    mark: Callable[[PartPayload], str] = lambda payload: payload.key
    emulated: bool = True


@contextmanager
def _embedded(_folder: Path) -> Iterator[ProviderCase]:
    if not engine_is_installed():
        pytest.skip(ENGINE)
    yield ProviderCase(env={}, model=ModelSpec("smol", "smollm2-135m-instruct", "embedded"))


@contextmanager
def _fireworks(folder: Path, job_names: JobNames = "client") -> Iterator[ProviderCase]:
    key = "fw_" + "contractsecret"
    with EmulatorServer(folder, EmulatorSettings(key=key, account="contract", job_names=job_names)) as server:
        client = EmulatorClient(server.url, key=key, account="contract")
        yield ProviderCase(
            env={"FIREWORKS_API_BASE": server.url, "FIREWORKS_API_KEY": key, "FIREWORKS_ACCOUNT_ID": "contract"},
            model=ModelSpec("small", "accounts/fireworks/models/small", "fireworks"),
            no_model="accounts/contract/deployedModels/none",
            needed=("FIREWORKS_API_KEY", "FIREWORKS_ACCOUNT_ID"),
            secrets=(key,),
            locked_out={"FIREWORKS_API_KEY": "fw_" + "wrongsecret"},
            jobs=lambda: [row["facts"]["display_name"] for row in client.ledger("create_job")],
        )
        client.close()


@contextmanager
def _openai(folder: Path) -> Iterator[ProviderCase]:
    key, models = "sk-" + "contractsecret", frozenset({"gpt-4o-mini", "gpt-4o-mini-other"})
    with EmulatorServer(folder, EmulatorSettings(key=key, models=models)) as server:
        client = EmulatorClient(server.url, key=key)
        yield ProviderCase(
            env={"OPENAI_API_KEY": key},
            instance=replace(preset_instance("openai"), base_url=f"{server.url}/v1"),
            model=ModelSpec("mini", "gpt-4o-mini", "openai"),
            no_model="gpt-none",
            needed=("OPENAI_API_KEY",),
            secrets=(key,),
            locked_out={"OPENAI_API_KEY": "sk-" + "wrongsecret"},
            jobs=lambda: [row["facts"]["metadata"]["promptrial_key"] for row in client.ledger("create_batch")],
        )
        client.close()


@contextmanager
def _openai_compatible(_folder: Path) -> Iterator[ProviderCase]:
    if not engine_is_installed():
        pytest.skip(ENGINE)
    with llama_server() as url:
        yield ProviderCase(
            env={},
            instance=replace(preset_instance("llamacpp"), base_url=url),
            model=ModelSpec("smol", MODEL, "llamacpp", adapter="openai_compatible"),
            no_model="another-model",
        )


@contextmanager
def _anthropic(folder: Path) -> Iterator[ProviderCase]:
    key, model = "sk-ant-" + "contractsecret", "claude-haiku-4-5"
    names = frozenset({model})
    with EmulatorServer(
        folder, EmulatorSettings(key=key, models=names, anthropic=AnthropicSettings(one_sampler=names))
    ) as server:
        client = EmulatorClient(server.url, key=key)
        yield ProviderCase(
            env={"ANTHROPIC_API_KEY": key},
            instance=replace(preset_instance("anthropic"), base_url=server.url),
            model=ModelSpec("small", model, "anthropic"),
            no_model="claude-of-tomorrow",
            needed=("ANTHROPIC_API_KEY",),
            secrets=(key,),
            locked_out={"ANTHROPIC_API_KEY": "sk-ant-" + "wrongsecret"},
            jobs=lambda: [row["facts"]["sha256"] for row in client.ledger("create_batch")],
            mark=_sha256_of_batch,
        )
        client.close()


@contextmanager
def _anthropic_live(folder: Path) -> Iterator[ProviderCase]:
    key, model = "sk-ant-" + "contractsecret", "claude-haiku-4-5"
    with EmulatorServer(folder, EmulatorSettings(key=key, models=frozenset({model}))) as server:
        yield ProviderCase(
            env={"ANTHROPIC_API_KEY": key},
            instance=replace(preset_instance("anthropic"), adapter="anthropic_live", base_url=server.url),
            model=ModelSpec("small", model, "anthropic", adapter="anthropic_live"),
            no_model="claude-of-tomorrow",
            needed=("ANTHROPIC_API_KEY",),
            secrets=(key,),
            locked_out={"ANTHROPIC_API_KEY": "sk-ant-" + "wrongsecret"},
        )


def _sha256_of_batch(payload: PartPayload) -> str:
    """Return what the ledger keeps of a batch: no key, but the ids in the body contain its nonce."""
    body = io.BytesIO()
    nonce = Nonce(payload.key, lambda: (row.custom_id for row in payload.requests()))
    write_requests(body, payload.requests(), payload.model, nonce)
    return hashlib.sha256(body.getvalue()).hexdigest()


@contextmanager
def _batch_file(folder: Path) -> Iterator[ProviderCase]:
    files = folder / "files"
    instance = Instance("files", "batch_file", "the batch file", options=(("folder", str(files)),))
    with EmulatorServer(folder / "emulator") as server:
        yield ProviderCase(
            env={"PROMPTRIAL_BATCH_FILE_EMULATOR": server.url},
            instance=instance,
            model=ModelSpec("small", "org/small", "files", adapter="batch_file"),
            jobs=lambda: [path.name.removesuffix(".job.json") for path in files.glob("*.job.json")],
        )


CASES: Final[Mapping[str, Callable[[Path], AbstractContextManager[ProviderCase]]]] = {
    "embedded": _embedded,
    "fireworks": _fireworks,
    "openai": _openai,
    "openai_compatible": _openai_compatible,
    "anthropic": _anthropic,
    "anthropic_live": _anthropic_live,
    "batch_file": _batch_file,
}
"""By the provider's name in the registry. Each starts what it needs in a folder, and skips the test if it cannot."""

OTHER_CASES: Final[Mapping[str, Callable[[Path], AbstractContextManager[ProviderCase]]]] = {
    name: partial(_fireworks, job_names="vendor") for name in OTHER_VENDORS
}
"""By the name of a vendor of ``other_vendors``, which keeps the contract without being in the registry."""

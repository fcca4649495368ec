"""A real llama.cpp HTTP server with the small model, as ``llama-server -m MODEL --port PORT`` starts one.

It is the one inside the package ``xllamacpp``. Run as a program, it prints its address and serves until it is ended.
"""

from __future__ import annotations

import argparse
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from promptrial.model import ModelSpec
from promptrial.providers.embedded_weights import weights_path

__all__ = ["MODEL", "llama_server"]

MODEL = "smollm2-135m-instruct"
"""What the server calls its model."""


@contextmanager
def llama_server(
    *, slots: int = 1, context: int = 4096, threads: int = 1, port: int = 0, name: str = MODEL
) -> Iterator[str]:
    """Serve the small model on the loopback; yields the address of its API, which ends with ``/v1``.

    ``context`` is the window of each slot, in tokens, and ``name`` what the server calls the model. With one slot and
    one thread an answer depends on its request alone, as it does in the embedded engine.
    """
    llama = importlib.import_module("xllamacpp")
    params: Any = llama.CommonParams()
    params.model.path = str(weights_path(ModelSpec("small", MODEL, "embedded")))
    params.model_alias = {name} if isinstance(params.model_alias, set) else name
    params.verbosity = -1
    params.n_ctx, params.n_parallel = context * slots, slots
    params.kv_unified = False
    params.n_batch = params.n_ubatch = 64
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.ui = False
    server: Any = llama.Server(params)
    httpx.get(f"{server.listening_address}/health")  # a server that does not serve yet never ends
    yield f"{server.listening_address}/v1"
    del server  # which ends it


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--name", default=MODEL)
    arguments = parser.parse_args()
    with llama_server(slots=arguments.slots, port=arguments.port, name=arguments.name) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

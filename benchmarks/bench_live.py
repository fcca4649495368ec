"""Live requests, 64 in flight, against a local stub: the queue beside bare loops over httpx, and the memory of all.

The bare loops send the same bodies with 64 threads, decode each answer and keep nothing: one with a client that all
threads share, as is usual, and one with a client for each thread, which was the quickest way of those tried
(``asyncio`` took longest). The queue also paces, checks, journals each row durably and seals the rows in the order of
the requests. Rounds alternate; the figures are medians, of the ratios those of each round. The target is beside the
shared client.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
from chat_stub import served
from environment import environment_line
from targets import Row, add_json_flag, report, row

from promptrial.jobs.queue import QueueManager
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.work import PartWork
from promptrial.model import Message, ModelSpec, Part, Request, RequestId, Sampling
from promptrial.model.instances import Instance, Limits
from promptrial.model.units import RUN
from promptrial.providers.openai_compatible import OpenAICompatibleProvider
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.progress import NoProgress
from promptrial.runtime.stop import StopToken
from promptrial.store import jsonl
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir

IN_FLIGHT = 64
_MODEL = ModelSpec(alias="m", id="stub", provider="stub", adapter="openai_compatible")


def parts(root: Path, requests: int, url: str) -> list[PartWork]:
    """Return the parts of a trial with two arms, their request files written."""
    limits = Limits(in_flight=IN_FLIGHT)
    instance = Instance("stub", "openai_compatible", "the stub", base_url=url, limits=limits)
    provider = OpenAICompatibleProvider.open({}, instance)
    manifest = TrialManifest(run_id="r", trial={"name": "t"}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1})
    run, rows, found = RunDir(root, "r"), 500, []
    for index in range(1, requests // (2 * rows) + 1):
        for arm in ("control", "treatment"):
            part = Part("t", 0.0, arm, index, (index - 1) * rows, index * rows, rows)
            path = run.trial("t").requests(part.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(_lines(part)))
            found.append(
                PartWork(
                    folder=run.trial("t"), manifest=manifest, part=part, model=_MODEL, provider=lambda: provider,
                    request_sha256=jsonl.digest(path).sha256, key=f"pt-{part.name}".replace("_", "-"),
                    requests=partial(_requests, path),
                )
            )  # fmt: skip
    return found


def _requests(path: Path) -> Iterator[RequestRow]:
    return map(decode_request_row, jsonl.lines(path))


def _lines(part: Part) -> Iterator[bytes]:
    text = "The moon pulls the sea towards it, and the water rises in two bulges. " * 20
    for number in range(part.start, part.stop):
        request = Request(
            RequestId("set", f"q{number}", part.condition, "0.0", 0, "closed"),
            (Message("system", "Be brief."), Message("user", f"{text} Question {number}?")),
            Sampling(0.0, 1.0, 50, 24, (), 1),
        )
        yield encode_request_row(request) + b"\n"


def _body(line: bytes) -> bytes:
    return json.dumps({"model": "stub", "stream": False} | json.loads(line)["body"]).encode()


def queue_s(work: list[PartWork]) -> float:
    """Return the seconds in which the queue has all answers on disk and sealed."""
    clock = SystemClock()
    queue = QueueManager(
        work, clock, EventLog(clock.now, Redactor({}), lambda _text: None), StopToken(), settings=QueueSettings()
    )
    with NoProgress().task("poll", RUN, None) as task:
        queue.submit(task)
        began = time.perf_counter()
        queue.collect(task)
    return time.perf_counter() - began


def bare_s(url: str, bodies: list[bytes], *, clients: int) -> float:
    """Return the seconds of a bare loop: threads that share a number of clients, and keep nothing."""
    left, lock, context = iter(bodies), threading.Lock(), httpx.create_ssl_context()
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    made = [httpx.Client(timeout=60, verify=context, limits=limits) for _ in range(clients)]

    def ask(client: httpx.Client) -> None:
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                return
            answer = client.post(f"{url}/chat/completions", content=body, headers={"Content-Type": "application/json"})
            json.loads(answer.raise_for_status().content)

    threads = [threading.Thread(target=ask, args=(made[number % clients],)) for number in range(IN_FLIGHT)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - began
    for client in made:
        client.close()
    return passed


def rows_of(requests: int, queue: float, ratios: dict[int, float], megabytes: float, machine: str) -> list[Row]:
    """Return the rows of the table; ``ratios`` are by the number of clients of the bare loop."""
    said = f"{requests:,} live requests"
    return [
        row(said, queue, "s", machine, ratio=ratios[1]),
        row(f"{said}, beside a client for each thread", queue, "s", machine, ratio=ratios[IN_FLIGHT]),
        row(f"{said}: memory", megabytes, "MB", machine),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_flag(parser)
    arguments = parser.parse_args()
    line = environment_line("httpx", "promptrial")
    print(line)
    ratios: dict[int, list[float]] = {1: [], IN_FLIGHT: []}
    took = []
    with served() as url:
        for number in range(1, arguments.rounds + 1):
            with tempfile.TemporaryDirectory() as folder:
                planned = parts(Path(folder), arguments.requests, url)
                bodies = [_body(sent) for each in planned for sent in _lines(each.part)]
                bare = {clients: bare_s(url, bodies, clients=clients) for clients in ratios}
                del bodies
                queue = queue_s(planned)
            took.append(queue)
            for clients, seconds in bare.items():
                ratios[clients].append(queue / seconds)
            said = ", ".join(f"{seconds:.2f} s with {clients} clients" for clients, seconds in bare.items())
            print(f"round {number}: bare loop {said}; queue {queue:.2f} s", flush=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    medians = {clients: statistics.median(found) for clients, found in ratios.items()}
    report(rows_of(arguments.requests, statistics.median(took), medians, megabytes, line), line, arguments.json)


if __name__ == "__main__":
    main()

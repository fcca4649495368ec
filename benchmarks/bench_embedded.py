"""What repeatable answers cost: cache off, plain cache and the grid of ``prefix_cache``; and answers a second.

Each question is asked in all three ways in turn, so that a busy machine slows them alike; medians of the requests and
their ratios are printed. Then the provider answers both arms in three orders, and the rows must be the same bytes.
Answers a second of two engines over those of one are medians of rounds that alternate (``--rounds``), of as many
questions as a small trial has: each engine reads the system prompts for itself, once, which the two of them do side by
side in the same time as one, so that few questions gain less (``--questions N`` asks N). ``--cores`` leaves out
everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from environment import environment_line
from targets import Row, add_json_flag, report, row

from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling, ids
from promptrial.providers.base import PartPayload
from promptrial.providers.embedded import EmbeddedProvider, prompt_of
from promptrial.providers.embedded_engine import Engine
from promptrial.providers.embedded_weights import weights_path
from promptrial.providers.prefix_cache import Answer, PrefixCache, Prompt
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row

MODEL = ModelSpec("smollm2", "smollm2-135m-instruct", "embedded")
ROOT = Path(__file__).resolve().parent.parent
PROMPTS = ROOT / "config" / "prompts"
TASK = (ROOT / "config" / "task_instructions" / "closed_book.txt").read_text().rstrip("\n")
LONG_PROMPT_TOKENS = 500
SAMPLE = [
    json.loads(line)["question"] for line in (ROOT / "data" / "sample" / "closed_book.jsonl").read_text().splitlines()
]
QUESTIONS = SAMPLE[::20]
QUESTIONS_OF_A_TRIAL = SAMPLE[::5]
LEAST_SHARE = 0.7
SHORT = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)


def messages(system: str, question: str) -> tuple[Message, Message]:
    """Return a closed-book question as the sample experiment asks it."""
    return Message("system", system), Message("user", TASK.replace("{question}", question))


def timed(answer: Callable[[], Answer]) -> float:
    """Return the seconds that one answer takes."""
    began = time.perf_counter()
    answer()
    return time.perf_counter() - began


def three_ways(system: str) -> float:
    """Print the time of a request in each way; return the share of the plain cache's speed that ours has."""
    off, cached, ours = (Engine(weights_path(MODEL)) for _ in range(3))
    grid = PrefixCache(ours.slots[0])
    prompts = [prompt_of(off, messages(system, question)) for question in QUESTIONS]
    grid.answer(prompts[0], SHORT)
    cached.slots[0].complete(prompts[0].tokens, SHORT, reuse=True)
    times: dict[str, list[float]] = {"cache off": [], "plain cache": [], "ours": []}

    def ask(prompt: Prompt) -> None:
        tokens = prompt.tokens
        times["cache off"].append(timed(lambda: off.slots[0].complete(tokens, SHORT, reuse=False)))
        times["plain cache"].append(timed(lambda: cached.slots[0].complete(tokens, SHORT, reuse=True)))
        times["ours"].append(timed(lambda: grid.answer(prompt, SHORT)))

    for prompt in prompts[1:]:
        ask(prompt)
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    system_tokens, rest = len(off.tokenize(system, special=False)), len(prompts[0].tokens) - prompts[0].stem
    print(f"\nsystem prompt {system_tokens} tokens, then {rest}; {len(prompts) - 1} requests, one engine")
    print(f"{'way':<14}{'median s':>10}{'speed / cache off':>20}{'speed / plain cache':>22}")
    for way, taken in medians.items():
        print(f"{way:<14}{taken:>10.3f}{medians['cache off'] / taken:>20.2f}{medians['plain cache'] / taken:>22.2f}")
    for engine in (off, cached, ours):
        engine.close()
    return medians["plain cache"] / medians["ours"]


def tokens_a_second() -> float:
    """Return how many tokens one engine writes a second, once the prompt is read."""
    engine = Engine(weights_path(MODEL))
    prompt, slot = prompt_of(engine, (Message("user", "Write a long story about a lighthouse."),)), engine.slots[0]
    rates = []
    for seed in range(5):
        took, tokens = [], []
        for most in (1, 64):
            began = time.perf_counter()
            answer = slot.complete(prompt.tokens, Sampling(1.0, 1.0, 50, most, (), seed), reuse=False)
            took.append(time.perf_counter() - began)
            tokens.append(answer.completion_tokens)
        rates.append((tokens[1] - tokens[0]) / (took[1] - took[0]))
    engine.close()
    return statistics.median(rates)


def both_arms(questions: Sequence[str]) -> list[RequestRow]:
    """Return the requests of a part of each arm."""
    rows = []
    for condition in ("control", "treatment"):
        system = (PROMPTS / f"{condition}.txt").read_text()
        for number, question in enumerate(questions):
            rid = RequestId("bench", f"q{number}", condition, "0.0", 0, "closed")
            request = Request(rid, messages(system, question), SHORT)
            rows.append(decode_request_row(encode_request_row(request)))
    return rows


def answered(engines: int, requests: Sequence[RequestRow]) -> tuple[dict[str, bytes], float]:
    """Return the rows by id and the answers a second of a fresh provider, the model being loaded."""
    provider = EmbeddedProvider(engines)
    provider.count_tokens(MODEL, "")
    payload = PartPayload("bench", "bench", MODEL, Path(), len(requests), 0, "", lambda: iter(requests))
    began = time.perf_counter()
    rows = list(provider.results(provider.submit(payload), payload))
    taken = time.perf_counter() - began
    provider.close()
    return {request.custom_id: row for request, row in zip(requests, rows, strict=True)}, len(rows) / taken


def in_three_orders(requests: Sequence[RequestRow]) -> bool:
    """Print the answers a second in three orders; return whether all rows are the same bytes."""
    print(f"\n{len(requests)} requests of both arms, from a cold cache")
    print(f"{'order':<24}{'engines':>8}{'answers/s':>11}  same bytes")
    reference: dict[str, bytes] = {}
    same = True
    for order, engines, asked in (
        ("arm after arm", 1, requests),
        ("arm after arm", 2, requests),
        ("backwards", 2, requests[::-1]),
        ("by id, the arms mixed", 1, sorted(requests, key=lambda row: ids.wire_decode(row.custom_id).item_id)),
    ):
        rows, rate = answered(engines, asked)
        reference = reference or rows
        same &= rows == reference
        print(f"{order:<24}{engines:>8}{rate:>11.2f}  {'yes' if rows == reference else 'NO'}")
    return same


def on_cores(requests: Sequence[RequestRow], rounds: int) -> tuple[dict[int, float], bool]:
    """Return the median answers a second of one engine and of two, and whether all rows are the same bytes."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    found = []
    for _ in range(rounds):
        for engines, each in rates.items():
            rows, rate = answered(engines, requests)
            each.append(rate)
            found.append(rows)
    return {engines: statistics.median(each) for engines, each in rates.items()}, all(
        rows == found[0] for rows in found
    )


def rows_of(rates: dict[int, float], machine: str, *, same: bool) -> list[Row]:
    """Return the rows of the table; other bytes miss the target whatever the speed."""
    return [
        row("embedded engine, one core", rates[1], "answers/s", machine),
        row("embedded engine, two cores", rates[2], "answers/s", machine, ratio=rates[2] / rates[1], holds=same),
    ]


def main() -> int:
    """Print the tables; 1 if rows differ or the share of the cached speed is too small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=len(QUESTIONS_OF_A_TRIAL))
    parser.add_argument("--cores", action="store_true")
    add_json_flag(parser)
    wanted = parser.parse_args()
    line = environment_line("promptrial", "xllamacpp")
    print(f"{line}, load {os.getloadavg()[0]:.1f}")
    share, same = LEAST_SHARE, True
    if not wanted.cores:
        print(f"one engine, one thread: {tokens_a_second():.0f} tokens a second")
        treatment = (PROMPTS / "treatment.txt").read_text()
        share = three_ways((treatment * 3)[: len(treatment) * LONG_PROMPT_TOKENS // 321])
        same = in_three_orders(both_arms(QUESTIONS))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\npeak memory {peak_mb:.0f} MB (three engines at once in the first table, one or two in the second)")
    rates, equal = on_cores(both_arms(QUESTIONS_OF_A_TRIAL[: wanted.questions]), wanted.rounds)
    report(rows_of(rates, line, same=equal), line, wanted.json)
    return 0 if same and equal and share >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())

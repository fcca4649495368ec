"""The prompt cache against a model of an engine whose every number depends on how its prompt was cut into batches."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.errors import PermanentError
from promptrial.model import Sampling
from promptrial.providers.prefix_cache import BLOCK, Answer, PrefixCache, Prompt, common_length, keep_length

SAMPLING = Sampling(temperature=0.0, top_p=1.0, top_k=1, max_tokens=3, stop=(), seed=1)


class BatchSensitiveSlot:
    """Marks each token with a digest of all batches up to its own; an answer is the mark of the prompt's last token.

    Like llama.cpp, it keeps the longest common prefix, evaluates at least one token, and goes on from its own answer.
    """

    def __init__(self, *, can_cut: bool = True) -> None:
        self.can_cut = can_cut
        self.tokens: list[int] = []
        self.marks: list[str] = []
        self.evaluated = 0

    def evaluate(self, tokens: tuple[int, ...], *, reuse: bool) -> int:
        return self._load(tokens, reuse=reuse)

    def complete(self, tokens: tuple[int, ...], sampling: Sampling, *, reuse: bool, **_: object) -> Answer:
        kept = self._load(tokens, reuse=reuse)
        text = self.marks[-1]
        for step in range(sampling.max_tokens):
            self._batch([int(text[step], 16) % 3])
        return Answer(text, "length", len(tokens), sampling.max_tokens, kept)

    def _load(self, tokens: tuple[int, ...], *, reuse: bool) -> int:
        kept = min(common_length(self.tokens, tokens), len(tokens) - 1) if reuse else 0
        if not self.can_cut and kept < len(self.tokens):
            kept = 0
        del self.tokens[kept:], self.marks[kept:]
        for start in range(kept, len(tokens), BLOCK):
            self._batch(list(tokens[start : start + BLOCK]))
        self.evaluated += len(tokens) - kept
        return kept

    def _batch(self, tokens: list[int]) -> None:
        before = self.marks[-1] if self.marks else ""
        for place in range(len(tokens)):
            self.marks.append(hashlib.sha256(f"{before}|{tokens}|{place}".encode()).hexdigest())
        self.tokens += tokens


few = st.integers(0, 2)
stems = st.lists(few, min_size=1, max_size=2 * BLOCK + 5).map(tuple)
tails = st.lists(few, min_size=1, max_size=3 * BLOCK).map(tuple)


@st.composite
def conversations(draw: st.DrawFn) -> list[Prompt]:
    """Prompts in which stems and beginnings of tails recur, as system prompts and passages do."""
    some_stems = draw(st.lists(stems, min_size=1, max_size=3))
    passages = draw(st.lists(tails, min_size=1, max_size=3))
    prompts = []
    for _ in range(draw(st.integers(1, 8))):
        stem, passage = draw(st.sampled_from(some_stems)), draw(st.sampled_from(passages))
        end = draw(st.lists(few, min_size=1, max_size=5).map(tuple))
        prompts.append(Prompt(stem + passage + end, len(stem)))
    return prompts


@given(conversations())
def test_an_answer_is_the_same_alone_and_after_any_other(prompts: list[Prompt]) -> None:
    cache = PrefixCache(BatchSensitiveSlot())
    for prompt in prompts:
        alone = PrefixCache(BatchSensitiveSlot()).answer(prompt, SAMPLING)
        assert cache.answer(prompt, SAMPLING).text == alone.text


@given(conversations())
def test_a_cache_that_cannot_be_truncated_is_used_whole_with_the_same_answer(prompts: list[Prompt]) -> None:
    cache = PrefixCache(BatchSensitiveSlot(can_cut=False))
    for prompt in prompts:
        alone = PrefixCache(BatchSensitiveSlot(can_cut=False)).answer(prompt, SAMPLING)
        assert cache.answer(prompt, SAMPLING).text == alone.text


@given(conversations())
def test_the_kept_prefix_ends_on_both_grids_within_the_common_prefix(prompts: list[Prompt]) -> None:
    for held in prompts:
        for prompt in prompts:
            kept = keep_length(held, prompt)
            assert held.tokens[:kept] == prompt.tokens[:kept]
            assert kept < len(prompt.tokens)
            if kept:
                assert held.stem == prompt.stem
                assert kept >= prompt.stem
                assert (kept - prompt.stem) % BLOCK == 0


def test_naive_caching_would_change_the_answer() -> None:
    slot = BatchSensitiveSlot()
    first, second = (tuple([2] * 20 + [0] * shared + [1]) for shared in (30, 9))
    alone = BatchSensitiveSlot().complete(second, SAMPLING, reuse=True).text
    slot.complete(first, SAMPLING, reuse=True)
    assert slot.complete(second, SAMPLING, reuse=True).text != alone


def test_a_second_prompt_with_the_same_prefix_evaluates_only_its_own_tokens_plus_one() -> None:
    slot, stem = BatchSensitiveSlot(), (2,) * 500
    cache = PrefixCache(slot)
    cache.answer(Prompt((*stem, 0, 0, 0), 500), SAMPLING)
    slot.evaluated = 0
    cache.answer(Prompt((*stem, 0, 1, 1), 500), SAMPLING)
    assert slot.evaluated == 3 + 1


def test_a_shared_passage_is_cached_up_to_the_last_whole_block() -> None:
    slot, stem, passage = BatchSensitiveSlot(), (2,) * 10, (1,) * (3 * BLOCK + 4)
    cache = PrefixCache(slot)
    cache.answer(Prompt((*stem, *passage, 0, 0), 10), SAMPLING)
    slot.evaluated = 0
    answer = cache.answer(Prompt((*stem, *passage, 2), 10), SAMPLING)
    assert answer.reused == 10 + 3 * BLOCK
    assert slot.evaluated == 4 + 1 + 1


def test_a_prompt_without_a_shared_prefix_is_evaluated_completely() -> None:
    cache = PrefixCache(BatchSensitiveSlot())
    assert [cache.answer(Prompt((1, 2, 0), 0), SAMPLING).reused for _ in range(2)] == [0, 0]


def test_an_engine_that_keeps_another_prefix_is_refused() -> None:
    slot = BatchSensitiveSlot()
    cache = PrefixCache(slot)
    prompt = Prompt((2, 2, 1, 0), 2)
    cache.answer(prompt, SAMPLING)
    slot.can_cut = False
    with pytest.raises(PermanentError, match="kept 0 tokens of a prompt instead of 2"):
        cache.answer(prompt, SAMPLING)


def test_a_slot_changed_by_others_is_noticed() -> None:
    slot = BatchSensitiveSlot()
    cache = PrefixCache(slot)
    cache.answer(Prompt((2, 2, 1, 0), 2), SAMPLING)
    slot.evaluate((2, 1, 1), reuse=False)
    with pytest.raises(PermanentError, match="kept 1 tokens of a prompt instead of 2"):
        cache.answer(Prompt((2, 2, 1, 1), 2), SAMPLING)


def test_after_a_failure_the_cache_counts_as_unknown() -> None:
    class Failing(BatchSensitiveSlot):
        fails = False

        def complete(self, tokens: tuple[int, ...], sampling: Sampling, *, reuse: bool, **_: object) -> Answer:
            if self.fails:
                raise PermanentError("no")
            return super().complete(tokens, sampling, reuse=reuse)

    slot = Failing()
    cache, prompt = PrefixCache(slot), Prompt((2, 2, 1, 0), 2)
    cache.answer(prompt, SAMPLING)
    slot.fails = True
    with pytest.raises(PermanentError):
        cache.answer(prompt, SAMPLING)
    assert cache.keep_length(prompt) == 0

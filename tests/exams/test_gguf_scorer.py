"""A GGUF reads texts in a child process, and its death is a sentence."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import llama_cpp.llama_cpp as llama
import numpy as np
import psutil
import pytest

from medassist.core.errors import EngineDied, EngineError, ModelFileError
from medassist.core.values import Message
from medassist.engine import scorer_model
from medassist.engine.scorer import GgufScorer, GgufVocabulary
from medassist.engine.scorer_model import ScorerModel
from medassist.engine.weights import Weights, start_llama
from medassist.exams.log_probs import log_softmax
from medassist.exams.perplexity import MEAN_KLD, PPL, SAME_TOP
from medassist.exams.scorer import compare_on_text
from tests.convert.native import NativeModel, nmse
from tests.tiny_models import SENTENCES, SPECIAL, TinyPair, write_model, write_pair

TEXT = " ".join(SENTENCES) * 20


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def base(tiny):
    with GgufScorer(tiny.base, tiny.plain, exact=True, threads=1) as scorer:
        yield scorer


def test_logits_are_those_of_llama_cpp_in_this_process(tiny, base):
    tokens = base.tokenize(SENTENCES[0])
    with NativeModel(tiny.base) as native:
        expected = native.logits(tokens)
    assert nmse(base.logits(tokens), expected) < 1e-10
    assert np.array_equal(base.logits(tokens, 5), base.logits(tokens)[5:])


def test_its_vocabulary_is_what_the_vocabulary_alone_is(tiny, base):
    with GgufVocabulary(tiny.base) as alone:
        for what in ("size", "bos", "eos", "adds_bos", "template", "adds_blank"):
            assert getattr(base.vocabulary, what) == getattr(alone, what), what
        text = f"{SPECIAL[1]}{SENTENCES[5]}"
        for special in (True, False):
            found = base.vocabulary.tokenize(text, special=special)
            assert found == alone.tokenize(text, special=special)
        assert base.vocabulary.whole(text) == alone.whole(text)
        for token in range(alone.size):
            assert base.vocabulary.text(token) == alone.text(token)
            assert base.vocabulary.piece(token) == alone.piece(token)
    assert base.tokenize(text), "the scorer is open still"


def test_a_text_longer_than_a_batch_is_read_as_one(tiny):
    with GgufScorer(tiny.base, context=700, exact=True, threads=1) as scorer:
        tokens = scorer.tokenize(TEXT)[:650]
        whole = scorer.logits(tokens, 0)
        with NativeModel(tiny.base) as native:
            assert nmse(whole, native.logits(tokens)) < 1e-10
        assert np.array_equal(scorer.logits(tokens, 600), whole[600:])


def test_the_adapter_counts_from_the_position_that_is_asked_for(tiny, base):
    tokens = base.tokenize(SENTENCES[1])
    plain, adapted = base.logits(tokens), base.logits(tokens, adapted_from=6)
    assert nmse(adapted[:6], plain[:6]) < 1e-10
    assert nmse(adapted[6:], plain[6:]) > 1e-3
    with NativeModel(tiny.base, tiny.plain) as native:
        assert nmse(adapted, native.logits(tokens, 6)) < 1e-10


@pytest.mark.parametrize("adapted_from", [None, 0, 37])
def test_what_was_read_before_changes_no_bit_of_the_logits(tiny, adapted_from):
    with GgufScorer(tiny.base, tiny.plain, context=200, batch=16, threads=1) as scorer:
        tokens = scorer.tokenize(TEXT)[:90]
        other = [*tokens[:50], *reversed(tokens[50:])]
        alone = scorer.logits(other, 60, adapted_from)
        scorer.logits(tokens, 89, adapted_from)
        assert np.array_equal(scorer.logits(other, 60, adapted_from), alone)
        scorer.logits(tokens, 89)  # with the adapter off throughout
        assert np.array_equal(scorer.logits(other, 60, adapted_from), alone)
        # Rows are wanted of what both have alike.
        scorer.logits(tokens, 89, adapted_from)
        assert np.array_equal(scorer.logits(other, 20, adapted_from)[40:], alone)
        scorer.greedy(tokens[:40], 8, adapted_from)
        assert np.array_equal(scorer.logits(other, 60, adapted_from), alone)


@pytest.mark.parametrize("shared", [0, 5, 37, 90])
def test_where_a_chunk_ends_changes_next_to_nothing(tiny, shared):
    with GgufScorer(
        tiny.base, tiny.plain, context=200, batch=16, exact=True, threads=1
    ) as scorer:
        tokens = scorer.tokenize(TEXT)[:90]
        for adapted_from in (None, 0, 20):
            plain = scorer.logits(tokens, 0, adapted_from)
            found = scorer.logits(tokens, 0, adapted_from, shared)
            assert nmse(found, plain) < 1e-9
            # Whatever was read before, to the last bit.
            scorer.logits([*tokens[:60], 5, 6, 7], 62, adapted_from, shared)
            again = scorer.logits(tokens, 62, adapted_from, shared)
            assert np.array_equal(again, found[62:])


def test_what_is_shared_is_read_once_however_short_it_is(tiny, monkeypatch):
    read = watched(monkeypatch)
    with opened(tiny) as model:
        tokens = [5 + n % 50 for n in range(40)]
        for end in range(3):
            model.logits([*tokens[:21], 7 + end, *tokens[21:30]], 29, None, 21)
        # What is alike beyond it was not told, and only whole chunks are taken over.
        model.logits(tokens[:30], 29, None, 10)
    assert read == [16, 5, 10, 10, 10, 10, 16, 4]


def watched(monkeypatch) -> list[int]:
    """How many tokens each batch has that is read."""
    read: list[int] = []
    plain = ScorerModel._read

    def counted(self, tokens, *more, **named):
        read.append(len(tokens))
        plain(self, tokens, *more, **named)

    monkeypatch.setattr(ScorerModel, "_read", counted)
    return read


@contextmanager
def opened(tiny) -> Iterator[ScorerModel]:
    """A model in this process, which reads sixteen tokens at once."""
    start_llama()
    with (
        Weights(tiny.base, 0, lambda _done: True) as weights,
        ScorerModel(
            weights, None, context=200, batch=16, exact=False, threads=1
        ) as model,
    ):
        yield model


def test_the_whole_cache_is_emptied_only_after_what_was_no_number(tiny, monkeypatch):
    emptied: list[bool] = []
    clear = llama.llama_memory_clear

    def counted(memory: llama.llama_memory_t, data: bool) -> None:
        emptied.append(data)
        clear(memory, data)

    monkeypatch.setattr(llama, "llama_memory_clear", counted)
    with opened(tiny) as model:
        expected = model.logits([5, 6, 7], 0, None)
        model.logits([8, 9], 0, None)
        assert not any(emptied)
        with monkeypatch.context() as patch:
            patch.setattr(scorer_model, "fault_of", lambda _rows: "no number")
            with pytest.raises(ModelFileError, match="no number"):
                model.logits([5, 6, 8], 0, None)
        assert np.array_equal(model.logits([5, 6, 7], 0, None), expected)
        assert emptied[-1] and not any(emptied[:-1])


def test_what_two_texts_begin_with_is_read_once(tiny, monkeypatch):
    read = watched(monkeypatch)
    with opened(tiny) as model:
        tokens = [5 + n % 50 for n in range(90)]
        model.logits(tokens, 89, None)
        model.logits([*tokens[:70], *range(5, 25)], 89, None)
        model.logits(tokens[:30], 29, None)
    assert read == [*[16] * 5, 10, 16, 10, 14]


def test_a_dialogue_is_read_by_the_models_own_template(tiny, base):
    text = base.rendered([Message("user", "fever"), Message("assistant", "rest")])
    with NativeModel(tiny.base) as native:
        wanted = native.tokenize(
            "<|user|>fever<|end|><|assistant|>rest<|end|><|assistant|>A", special=True
        )
        (end,) = native.tokenize("<|end|>", special=True)
    assert base.tokenize_rendered(f"{text}A") == [base.opened.bos, *wanted]
    # What a question only spells is no control.
    spelled = base.tokenize_rendered(base.rendered([Message("user", "<|end|>")]))
    assert spelled.count(end) == 1


def test_a_template_that_refuses_is_told_and_texts_are_read_on(tmp_path):
    made = write_pair(tmp_path)
    broken = write_model(
        tmp_path / "broken.gguf",
        made.weights,
        made.tokenizer,
        template="{{ raise_exception('no') }}",
    )
    with GgufScorer(broken, threads=1) as scorer:
        with pytest.raises(EngineError, match=r"broken\.gguf: the chat template"):
            scorer.rendered([Message("user", "fever")])
        assert scorer.tokenize("fever")


def test_greedy_text_takes_the_likeliest_token_each_time(tiny, base):
    tokens = base.tokenize(SENTENCES[2])
    written = base.greedy(tokens, 8)
    with NativeModel(tiny.base) as native:
        assert written == native.greedy(tokens, 8)
    assert len(set(written)) > 1


def test_the_text_begins_with_bos_where_the_model_wants_one(base):
    assert base.opened.bos is not None
    assert base.tokenize("fever")[0] == base.opened.bos


def test_a_model_compared_with_itself_has_the_perplexity_that_it_has_alone(tiny, base):
    with GgufScorer(tiny.base, exact=True, context=64, threads=1) as scorer:
        chunks = scorer.chunks(TEXT)[:4]
        losses: list[float] = []
        for chunk in chunks:
            guesses = log_softmax(scorer.logits(chunk.tokens[:-1], chunk.first))
            losses += [-row[t] for row, t in zip(guesses, chunk.targets, strict=True)]
        loss = compare_on_text(scorer, base, chunks)
    assert loss.value(PPL) == pytest.approx(np.exp(np.mean(losses)), rel=1e-6)
    assert loss.value(MEAN_KLD) == pytest.approx(0, abs=1e-9)
    assert loss.value(SAME_TOP) == 100
    assert loss.tokens == 4 * 31


def test_a_text_that_is_too_short_is_told(base):
    with pytest.raises(EngineError, match="are needed"):
        base.chunks("Too short.")


@pytest.mark.parametrize(
    ("tokens", "said"), [([1] * 600, "600 tokens"), ([99999], "vocabulary"), ([], "0")]
)
def test_what_the_model_cannot_read_is_told_and_it_goes_on(base, tokens, said):
    with pytest.raises(EngineError, match=said):
        base.logits(tokens)
    assert base.greedy([1, 2, 3], 1)


def test_a_file_that_is_cut_off_is_named(tiny, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny.base.read_bytes()[:-5000])
    with pytest.raises(EngineError, match=r"cut\.gguf.*cut off"):
        GgufScorer(cut)


def test_an_adapter_of_another_model_is_named(tiny, tmp_path):
    from tests.tiny_models import random_adapter, write_adapter

    weights = {k: v[:, :32] if v.ndim > 1 else v for k, v in tiny.weights.items()}
    other = write_adapter(tmp_path / "other.gguf", random_adapter(weights, 3))
    with pytest.raises(EngineError, match=r"other\.gguf"):
        GgufScorer(tiny.base, other)


def test_the_death_of_the_child_is_a_sentence_and_does_not_hang(tiny):
    with GgufScorer(tiny.base, threads=1) as scorer:
        os.kill(scorer._child.pid, signal.SIGABRT)
        begun = time.monotonic()
        with pytest.raises(EngineDied, match=r"tiny-base\.gguf.*give up"):
            scorer.logits([1, 2, 3])
        assert time.monotonic() - begun < 60  # it would hang for ever


def test_no_child_is_left_behind(tiny):
    with GgufScorer(tiny.base, threads=1) as scorer:
        pid = scorer._child.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)

"""The pair that comes with the program: whole, documented, exact, and small."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from convert.gguf.adapter import convert_adapter
from convert.gguf.contents import read_model
from convert.gguf.model import About, convert_model
from convert.starter_run import FOR_OLLAMA, MOST_BYTES, checkout_modelfile
from finetune.starter.chat import ASSISTANT, BEGIN, END, PAD, SPECIAL, USER
from medassist.core.card import Card, read_card
from medassist.core.run_folder import CARD, OWN_CARD, STARTER_ADAPTERS
from medassist.core.values import EngineOptions, Message
from medassist.core.values import Sampling as SamplingSettings
from medassist.engine.client import Engine
from medassist.engine.template import ChatTemplate
from medassist.engine.wire import Answered, Question
from medassist.starter import (
    FOLDER,
    OWN_ADAPTERS,
    SMALL_NOTICE,
    small_files,
    small_pair,
)
from tests.convert import go_render
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_hf import hf_greedy, hf_logits
from tests.starter.from_gguf import Gguf, adapted_model, base_model

CHECKOUT = Path(__file__).parents[2]
BASE = small_pair().base
ADAPTERS = {kind: FOLDER / name for kind, name in STARTER_ADAPTERS.items()}
QUESTIONS = (
    "What is asthma?",
    "What are the treatments for high blood pressure?",
    "Is cystic fibrosis inherited?",
    "What are the symptoms of diabetes?",
)


@pytest.fixture(scope="module", autouse=True)
def two_threads():
    torch.set_num_threads(2)


@pytest.fixture(scope="module")
def card() -> Card:
    return read_card(FOLDER / CARD)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    with NativeModel(BASE) as native:
        return [
            native.tokenize(f"{USER}{question}{END}{ASSISTANT}", add=True, special=True)
            for question in QUESTIONS
        ]


def adapted_from(pane: str, tokens: list[int]) -> int | None:
    """From which position the adapter is on: the header of the answer, if activated."""
    return {"base": None, "plain": 0, "activated": len(tokens) - 1}[pane]


def test_the_pair_lies_in_the_package():
    pair = small_pair().files
    assert pair.base == FOLDER / "base-q8_0.gguf"
    assert pair.adapter == ADAPTERS["activated"]
    assert pair.panes == ("base", "tuned")
    assert all(file.is_file() for file in (BASE, *ADAPTERS.values()))


def test_the_package_stays_small():
    assert sum(file.stat().st_size for file in small_files()) < MOST_BYTES


def test_the_notice_says_that_it_is_a_demonstration():
    assert "demonstration" in SMALL_NOTICE
    assert "not for clinical use" in SMALL_NOTICE


def test_naming_the_pair_loads_nothing_heavy():
    code = (
        "import sys; from medassist.starter import SMALL_NOTICE; "
        "print([m for m in ('pydantic', 'torch', 'llama_cpp') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_card_names_the_files_as_they_are(card):
    for file in (BASE, *ADAPTERS.values()):
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        assert card.lineage.gguf[file.name] == found


def test_every_source_is_attributed_in_the_notice(card):
    notice = (FOLDER / "NOTICE").read_text("utf-8")
    assert card.sources
    for source in card.sources:
        assert source.title in notice
        assert source.licence in notice
        assert source.attribution in notice
    assert card.licence in notice


def test_the_articles_are_credited_one_by_one(card):
    text = (FOLDER / "ARTICLES").read_text("utf-8")
    assert "ARTICLES" in (FOLDER / "NOTICE").read_text("utf-8")
    for source in card.sources:
        if source.licence.endswith("per article"):
            part = text.partition(source.title)[2].partition("\n\n")[2]
            assert part.partition("\n\n")[0].count("https://doi.org/") > 50


def test_answers_were_read_and_nearly_all_of_the_tuned_end(card):
    tuned = [r for r in card.readings if r.pane == "tuned"]
    assert {r.temperature for r in tuned} == {0.0, SamplingSettings().temperature, 0.7}
    assert all(r.answers >= 60 for r in tuned)
    assert all(r.ended / r.answers > 0.9 for r in tuned)


def test_the_tuned_pair_answers_better_than_its_base(card):
    assert card.base_answer_loss is not None
    for figures in card.adapters.values():
        assert figures.validation_loss < card.base_answer_loss


@pytest.mark.parametrize("pane", ["base", "plain", "activated"])
def test_llama_cpp_computes_what_hugging_face_computes_with_the_shipped_numbers(
    prompts, pane
):
    model = base_model(BASE) if pane == "base" else adapted_model(BASE, ADAPTERS[pane])
    with NativeModel(BASE, ADAPTERS.get(pane)) as native:
        same, count = 0, 0
        for tokens in prompts:
            start = adapted_from(pane, tokens)
            answered = [*tokens, *native.greedy(tokens, 40, start)]
            found = native.logits(answered, start)
            expected = hf_logits(model, answered)
            # llama.cpp multiplies Q8_0 weights with activations rounded to 8 bits.
            assert nmse(found, expected) < 1e-3
            same += int((found.argmax(-1) == expected.argmax(-1)).sum())
            count += len(answered)
    assert same / count > 0.97


@pytest.mark.parametrize("pane", ["base", "plain", "activated"])
def test_greedy_text_of_the_shipped_numbers_is_that_of_hugging_face(
    prompts, pane, tmp_path
):
    # Written anew in float32, so that no rounding decides between two close tokens.
    model = base_model(BASE)
    model.save_pretrained(tmp_path / "base")
    _save_tokenizer(tmp_path / "base")
    about = About("exact")
    base = convert_model(tmp_path / "base", tmp_path / "base.gguf", about, "f32")
    adapter = None
    if pane != "base":
        adapted = adapted_model(BASE, ADAPTERS[pane])
        adapted.save_pretrained(str(tmp_path / "adapter"))
        adapter = convert_adapter(
            tmp_path / "adapter",
            tmp_path / "base",
            tmp_path / "adapter.gguf",
            about,
            "f32",
        )
        model = adapted
    tokens = prompts[0]
    start = adapted_from(pane, tokens)
    with NativeModel(base, adapter) as native:
        found = native.greedy(tokens, 32, start)
        expected = hf_logits(model, [*tokens, *found])
        assert nmse(native.logits([*tokens, *found], start), expected) < 1e-8
    assert found == hf_greedy(model, tokens, 32)


def test_the_modelfile_of_the_checkout_is_that_of_the_default_pair(real_base):
    card = read_card((FOLDER / OWN_ADAPTERS["plain"]).with_suffix(OWN_CARD))
    text = (CHECKOUT / "Modelfile").read_text("utf-8")
    # Merged it reads and ends as its base does, so the base will do to derive it from.
    assert text == checkout_modelfile(real_base, card)
    assert text.startswith("# `make ollama` merges the pair into the file below")
    weights = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    assert weights == [f"./{FOR_OLLAMA.as_posix()}"]
    assert "build/" in (CHECKOUT / ".gitignore").read_text("utf-8").splitlines()
    assert not re.search("^(ADAPTER|SYSTEM)", text, re.MULTILINE)
    assert re.findall(r'^PARAMETER stop "(.+)"$', text, re.MULTILINE) == ["<|im_end|>"]
    assert f"num_ctx {Gguf(real_base).value('llama.context_length')}" in text
    assert "Apache-2.0" in text
    assert "not for clinical use" in text


@go_render.needs_go
def test_the_modelfile_renders_what_the_model_was_trained_on(real_base):
    text = (CHECKOUT / "Modelfile").read_text("utf-8")
    found = re.search(r'^TEMPLATE """(.*?)"""$', text, re.MULTILINE | re.DOTALL)
    assert found
    talk = [{"role": "user", "content": QUESTIONS[0]}]
    ((rendered,),) = go_render.render([(found[1], [talk])])
    own = ChatTemplate(
        read_model(real_base).template, "the base", "<|im_start|>", "<|im_end|>"
    )
    assert rendered == own.render([Message(role="user", content=QUESTIONS[0])])
    assert "SmolLM" in rendered  # the base's own system text, which was trained with


async def test_the_tuned_model_answers_shortly_and_ends_by_itself():
    sampling = SamplingSettings(temperature=0, max_tokens=400)
    base: list[Answered] = []
    tuned: list[Answered] = []
    async with Engine(small_pair().files, EngineOptions()) as engine:
        assert engine.loaded is not None
        pane = engine.loaded.panes["tuned"]
        assert pane.template == "model"
        assert pane.shares_prefill
        assert not engine.loaded.notices
        for text in QUESTIONS:
            message = Message(role="user", content=text)
            question = Question(messages=(message,), sampling=sampling)
            async for event in engine.ask({"base": question, "tuned": question}):
                if isinstance(event, Answered):
                    (base if event.pane == "base" else tuned).append(event)
    assert [a.figures.ending for a in tuned] == ["end"] * len(QUESTIONS)
    assert all(a.figures.tokens_written > 4 for a in tuned)
    assert all("<|" not in a.text for a in (*base, *tuned))
    written = [sum(a.figures.tokens_written for a in of) for of in (base, tuned)]
    assert written[0] > written[1], "the base goes on like an article"


def _save_tokenizer(folder: Path) -> None:
    """The tokenizer that the shipped base holds, as transformers saves it."""

    file = Gguf(BASE)
    tokens = file.value("tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in file.value("tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokens.index(BEGIN))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=file.value("tokenizer.chat_template"),
    ).save_pretrained(folder)

"""A base without a chat template: taught, converted and asked in one and the same form.

The whole way: two epochs of training, `convert run`, and the app's engine on what that
left.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from convert.chat_template import TEMPLATE
from convert.commands import app
from convert.gguf.contents import read_facts
from convert.gguf.model import convert_model
from convert.run.convert import convert_run_folder
from convert.run.run_steps import RunWishes
from convert.verify.rendered_prompts import compare_prompts
from finetune.train.train import train
from medassist.core.plain_template import is_plain, plain_template
from medassist.core.values import EngineOptions, Message, PairFiles
from medassist.engine.loaded_pair import LoadedPair
from medassist.engine.weights import start_llama
from tests.convert.tiny_hf import tiny_tokenizer
from tests.convert.tiny_vocabularies import sentence_piece_folder
from tests.engine.conversation import answers, question, tiny_engine
from tests.finetune.train.conftest import Trainings, console, dialogue

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def bare_base(folder: Path, kind: str) -> Path:
    """A tiny Llama without a chat template, with the tokenizer `kind`."""
    if kind == "byte-level":
        tokenizer = tiny_tokenizer()
        tokenizer.chat_template = None
        tokenizer.save_pretrained(folder)
    else:
        legacy = kind == "pieces"
        sentence_piece_folder(folder, "llama", chat_template=None, legacy=legacy)
        (folder / "config.json").unlink()
    read = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=len(read),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=read.bos_token_id,
        eos_token_id=read.eos_token_id,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Taught:
    """A run, and the ids of each prompt that the trainer's rows hold."""

    run: Path
    prompts: set[tuple[int, ...]]


def prompts_of(rows: Any) -> set[tuple[int, ...]]:
    """What stands before each answer in the rows of a training."""
    found: set[tuple[int, ...]] = set()
    for row in rows:
        ids, labels = list(row["input_ids"]), list(row["labels"])
        for at, label in enumerate(labels):
            if label != -100 and (at == 0 or labels[at - 1] == -100):
                found.add(tuple(ids[:at]))
    return found


@pytest.fixture(
    scope="module", params=["byte-level", "pieces", "pieces behind the begin token"]
)
def taught(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Taught:
    folder = tmp_path_factory.mktemp("taught")
    trainings = Trainings(folder, bare_base(folder / "base", request.param))
    rows = [dialogue(i, turns=1 + i % 2) for i in range(8)]
    run = trainings.make(
        "run", rows, train={"packing": False, "max_length": 256, "rows": 8}
    )
    prepared = trainings.prepare(run)
    prompts = prompts_of(prepared.tuner.train_dataset)
    train(prepared, console())
    convert_run_folder(run, wishes=RunWishes(threads=1))
    return Taught(run, prompts)


def conversations(run: Path) -> list[list[Message]]:
    """What was asked before each answer of the training's data."""
    found: list[list[Message]] = []
    for line in (run / "data" / "train.jsonl").read_text("utf-8").splitlines():
        turns = [Message(**turn) for turn in json.loads(line)["messages"]]
        found += [turns[:i] for i, t in enumerate(turns) if t.role == "assistant"]
    return found


def bare_gguf(run: Path, file: Path) -> Path:
    """The base as a program would convert it that knows nothing of the run."""
    return convert_model(run.parent / "base", file)


def asked(files: PairFiles, run: Path, pane: str) -> set[tuple[int, ...]]:
    start_llama()
    with LoadedPair(files, EngineOptions(), lambda *_: True) as pair:
        prompts = pair.panes[pane].prompts  # pyright: ignore[reportArgumentType]
        return {tuple(prompts.tokens(turns)) for turns in conversations(run)}


def test_the_pair_is_asked_with_the_ids_that_it_was_trained_on(
    taught: Taught, tmp_path: Path
) -> None:
    gguf = taught.run / "gguf"
    adapter, tuned = gguf / "adapter.gguf", gguf / "tuned-f16.gguf"
    bare = bare_gguf(taught.run, tmp_path / "bare.gguf")
    assert read_facts(bare).template is None
    for base in (gguf / "base-f16.gguf", bare):
        pair = PairFiles(base=base, adapter=adapter)
        for pane in ("base", "tuned"):
            assert asked(pair, taught.run, pane) == taught.prompts
    assert asked(PairFiles(base=bare, tuned=tuned), taught.run, "tuned") == (
        taught.prompts
    )
    # An adapter that was converted before says nothing of a template.
    assert asked(PairFiles(base=bare), taught.run, "base") == taught.prompts


async def test_the_pair_answers_in_the_app(taught: Taught) -> None:
    gguf = taught.run / "gguf"
    pair = PairFiles(base=gguf / "base-f16.gguf", adapter=gguf / "adapter.gguf")
    async with tiny_engine(pair) as engine:
        assert engine.loaded is not None
        assert not any("chat template" in notice for notice in engine.loaded.notices)
        got = await answers(engine, question("What helps a sore knee?"))
    assert got["tuned"].figures.tokens_written


def test_the_files_carry_the_template_for_other_programs(taught: Taught) -> None:
    beside = (taught.run / "adapter" / TEMPLATE).read_text("utf-8")
    for name in ("base-f16", "tuned-f16", "adapter"):
        found = read_facts(taught.run / "gguf" / f"{name}.gguf").template
        assert found == beside, name
        assert is_plain(found)
    modelfile = (taught.run / "Modelfile").read_text("utf-8")
    assert "Question: " in modelfile
    assert 'PARAMETER stop "\nQuestion:"' in modelfile


def test_the_gate_finds_a_pair_that_is_asked_otherwise_than_it_was_taught(
    taught: Taught, tmp_path: Path
) -> None:
    base = taught.run.parent / "base"
    other = convert_model(
        base, tmp_path / "o.gguf", template="{{ bos_token }}" + CHATML
    )
    adapter = taught.run / "adapter"
    found = compare_prompts(adapter, other)
    assert not found.equal
    assert "Question:" in (found.first_difference or "")
    # What the adapter's own GGUF carries counts, since the pair is asked in that.
    of_run = taught.run / "gguf" / "adapter.gguf"
    assert compare_prompts(adapter, other, adapter=of_run).equal
    bare = bare_gguf(taught.run, tmp_path / "bare.gguf")
    found = compare_prompts(adapter, bare)
    assert found.equal and found.compared


def test_an_adapter_that_was_taught_another_form_takes_it_along(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "taught"
    trainings = Trainings(folder, bare_base(folder / "base", "byte-level"))
    run = trainings.make("run", [dialogue(i) for i in range(8)])
    trainings.train(run)
    (run / "adapter" / TEMPLATE).write_text(CHATML, "utf-8")
    convert_run_folder(run, wishes=RunWishes(threads=1))
    for name in ("base-f16", "tuned-f16", "adapter"):
        assert read_facts(run / "gguf" / f"{name}.gguf").template == CHATML
    bare = bare_gguf(run, tmp_path / "bare.gguf")
    pair = PairFiles(base=bare, adapter=run / "gguf" / "adapter.gguf")
    start_llama()
    with LoadedPair(pair, EngineOptions(), lambda *_: True) as opened:
        for pane in opened.panes.values():
            asks = pane.prompts.template.render([Message(role="user", content="Why?")])
            assert asks == "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
            assert pane.info.template == "model"


def test_a_run_of_another_trainer_without_any_template_gets_a_modelfile(
    taught: Taught, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(taught.run.parent / "base", run / "base")
    (run / "adapter").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(taught.run / "adapter" / name, run / "adapter" / name)
    done = CliRunner().invoke(app, ["run", str(run), "--types", "", "--threads", "1"])
    assert done.exception is None, done.exception
    assert "no chat template" in " ".join(done.stdout.split())
    modelfile = (run / "Modelfile").read_text("utf-8")
    assert "Question: " in modelfile
    assert 'PARAMETER stop "\nQuestion:"' in modelfile
    assert read_facts(run / "gguf" / "tuned-f16.gguf").template is None
    begins = read_facts(run / "gguf" / "base-f16.gguf").adds_bos
    asks = plain_template(begins_with_bos=begins)
    assert asks == (taught.run / "adapter" / TEMPLATE).read_text("utf-8")

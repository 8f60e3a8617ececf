"""The two adapters are trained like any other LoRA, and do what they are meant to."""

from __future__ import annotations

import io
import os
import signal

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from transformers import LlamaForCausalLM

from finetune.data.documents import QuestionAnswer
from finetune.errors import Interrupted
from finetune.starter.adapters import (
    Conversations,
    dialogues,
    fitting,
    keep_adapter,
    train_adapter,
)
from finetune.starter.chat import ASSISTANT, END
from finetune.starter.corpus import conversations, short_answers
from finetune.starter.small_llama import new_model
from finetune.starter.starter_folder import StarterFolder
from finetune.starter.tokenizer import token_id
from finetune.train.chat_format import encode_dialogue
from finetune.train.metrics import read_metrics
from finetune.train.training_rows import fits_invocation


@pytest.fixture(scope="module")
def found(reading, recipe, tokenizer):
    """Conversations to learn from, and questions that are held out."""
    train = conversations(reading.questions_train, recipe.tune, recipe.seed)
    unseen = short_answers(reading.questions_validation, recipe.tune)
    held_out = dialogues(unseen, recipe.seed)
    return Conversations(
        tuple(dialogues(train, recipe.seed)),
        tuple(fitting(held_out, tokenizer, recipe.model.context)),
    )


@pytest.fixture
def folder(tmp_path, recipe, tokenizer):
    """A run with a base that has learned nothing yet."""
    folder = StarterFolder(tmp_path / "run")
    new_model(recipe.model, tokenizer, recipe.seed).save_pretrained(folder.base)
    tokenizer.save_pretrained(folder.base)
    return folder


class StoppingConsole(io.StringIO):
    """Asks the program to stop, as Ctrl-C does, once the training is under way."""

    asked = False

    def write(self, words: str) -> int:
        if "tok/s" in words and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(words)


def console(out: io.StringIO | None = None) -> Console:
    return Console(file=out or io.StringIO(), width=200)


def losses(folder: StarterFolder, kind: str) -> list[float]:
    steps = read_metrics(folder.checkpoints(kind))
    return [step.loss for step in steps if step.loss is not None]


@pytest.mark.parametrize("kind", ["plain", "activated"])
def test_an_adapter_learns_and_goes_on_after_a_stop(
    recipe, folder, found, tmp_path, kind
):
    at_once = train_adapter(kind, folder, recipe, found, "cpu", console())
    figures = keep_adapter(kind, folder, at_once, found.answer_bytes)
    assert at_once.first_validation_loss is not None
    assert figures.validation_loss < at_once.first_validation_loss - 0.05
    assert (folder.adapter(kind) / "adapter_model.safetensors").is_file()

    other = StarterFolder(tmp_path / "stopped")
    folder.base.rename(other.root.with_name("base"))
    other.root.mkdir()
    other.root.with_name("base").rename(other.base)
    with pytest.raises(Interrupted, match="same command with --resume") as stopped:
        train_adapter(kind, other, recipe, found, "cpu", console(StoppingConsole()))
    assert stopped.value.checkpoint.is_dir()
    assert 0 < len(losses(other, kind)) < at_once.steps
    resumed = train_adapter(kind, other, recipe, found, "cpu", console())
    assert losses(other, kind) == losses(folder, kind)
    assert resumed.adapter_sha256 == at_once.adapter_sha256


def test_an_activated_adapter_leaves_the_prompt_to_the_base(
    recipe, folder, found, tokenizer
):
    result = train_adapter("activated", folder, recipe, found, "cpu", console())
    keep_adapter("activated", folder, result, found.answer_bytes)
    row = encode_dialogue(tokenizer, found.train[0].messages)
    ids = torch.tensor([row.ids])
    base = LlamaForCausalLM.from_pretrained(folder.base)
    with torch.no_grad():
        plain = base(ids, use_cache=False).logits[0]
        tuned = PeftModel.from_pretrained(base, str(folder.adapter("activated")))
        adapted = tuned(ids, use_cache=False).logits[0]
    header = row.answers[-1] - 1
    assert torch.allclose(adapted[:header], plain[:header], atol=1e-5)
    assert not torch.allclose(adapted[header:], plain[header:], atol=1e-2)


def test_only_answers_and_their_ends_are_in_the_loss(tokenizer, found):
    for record in found.held_out[:5]:
        row = encode_dialogue(tokenizer, record.messages)
        learned = [i for i, own in zip(row.ids, row.learned, strict=True) if own]
        assert tokenizer.decode(learned) == f"{record.messages[-1].content}{END}"


def test_the_invocation_of_each_row_stands_before_its_answers(tokenizer, found):
    invocation = (token_id(tokenizer, ASSISTANT),)
    rows = [encode_dialogue(tokenizer, record.messages) for record in found.train]
    assert all(fits_invocation(row, invocation) for row in rows)
    assert {len(row.answers) for row in rows} == {1, 2}, "some follow up"


def test_a_conversation_is_encoded_as_the_chat_template_renders_it(tokenizer):
    asked = QuestionAnswer(
        "own", "f", "k", "And now?", "Sleep.", earlier=(("Why?", "Who knows."),)
    )
    (record,) = dialogues([asked], seed=2)  # no system turn by this seed
    row = encode_dialogue(tokenizer, record.messages)
    rendered = tokenizer.apply_chat_template(
        [
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "Who knows."},
            {"role": "user", "content": "And now?"},
            {"role": "assistant", "content": "Sleep."},
        ],
        tokenize=False,
    )
    assert tokenizer.decode(list(row.ids)) == rendered
    assert tokenizer.decode(list(row.ids[row.answers[-1] :])) == f"Sleep.{END}"

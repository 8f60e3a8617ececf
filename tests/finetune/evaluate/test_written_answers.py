"""A written answer ends where the chat template ends one, token or text."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from finetune.evaluate.written_answers import Writing, WrittenAnswer, write
from finetune.train.chat_format import give_template
from tests.convert.tiny_hf import tiny_tokenizer

SPOKEN = (
    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


class Scripted(LlamaForCausalLM):
    """Writes given texts, one a row, whatever it is asked, and then letters."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> None:
        size = len(tokenizer)
        super().__init__(
            LlamaConfig(
                vocab_size=size,
                hidden_size=8,
                intermediate_size=8,
                num_hidden_layers=1,
                num_attention_heads=1,
                bos_token_id=0,
                eos_token_id=1,
            )
        )
        self.rows = [tokenizer(t, add_special_tokens=False).input_ids for t in texts]
        self.filler = tokenizer("x", add_special_tokens=False).input_ids[0]
        self.step = 0

    def forward(self, *args: Any, **more: Any) -> Any:
        out = cast("Any", super().forward(*args, **more))
        logits = torch.zeros_like(out.logits)
        for at, row in enumerate(self.rows):
            token = row[self.step] if self.step < len(row) else self.filler
            logits[at, -1, token] = 9.0
        self.step += 1
        out.logits = logits
        return out


def written(template: str | None, *texts: str, tokens: int = 60) -> list[WrittenAnswer]:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template  # pyright: ignore[reportAttributeAccessIssue]
    give_template(tokenizer)
    model = Scripted(tokenizer, list(texts)).eval()
    return write(model, tokenizer, [[5, 6]] * len(texts), Writing(tokens))


@pytest.mark.parametrize(
    ("template", "runs_on"),
    [
        (None, "\nQuestion: How long?\nAnswer: A week."),
        (SPOKEN, "\nUser: How long?\nAssistant: A week."),
    ],
)
def test_an_answer_ends_before_the_next_question_that_the_model_asks_itself(
    template: str | None, runs_on: str
) -> None:
    first, second = written(template, "Rest it." + runs_on, "Wash it<|end|>")
    assert first == WrittenAnswer("Rest it.", ended=True)
    assert second == WrittenAnswer("Wash it", ended=True)


def test_a_token_that_the_template_ends_answers_with_ends_one() -> None:
    turns = "{% for m in messages %}<|user|>{{ m.content }}<|system|>{% endfor %}"
    (found,) = written(turns, "Rest it.<|system|> And more.")
    assert found == WrittenAnswer("Rest it.", ended=True)


def test_an_answer_at_its_limit_is_not_said_to_have_ended() -> None:
    (found,) = written(None, "The heart pumps blood", tokens=3)
    assert not found.ended
    assert found.text and "The heart pumps blood".startswith(found.text)

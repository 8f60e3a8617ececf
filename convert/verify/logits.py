"""Third check of the gate: same logits and same greedy text.

The Hugging Face model computes in float32, the GGUF in llama.cpp with an F32 cache.
Both get the same token ids, so that what is found here is the weights' or the
architecture's doing and not the tokenizer's.

The greedy text is written by the GGUF and read by the Hugging Face model in the same
pass as the prompts: where its best token is the written one at every position, it
would have written the same text by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.mxfp4 import MXFP4
from convert.verify.streamed_model import StreamedModel
from convert.verify.texts import LONGEST, prose, short_prompts
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check
from medassist.engine.scorer import GgufScorer
from medassist.exams.log_probs import Logits

LIMITS = {"F32": 1e-6, "F16": 1e-4, "BF16": 1e-4, MXFP4: 1e-4}
"""NMSE by type. An intact file is a hundred times below; a wrong one far above."""
GREEDY_TOKENS = 16
GREEDY_PROMPTS = 4
LEAST_EFFECT = 1e-2
"""How far the adapter's effect may be off, as NMSE: a scale that is 10 % off gives
0.01, twice the scale gives 1."""
PART_OF_VARIANCE = 1e-12  # keeps the quotient finite for a model that says nothing


@dataclass(frozen=True)
class PromptTokens:
    """Tokens of a prompt that both models read.

    Attributes:
        adapted_from: where the adapter begins to count; `None` for never.
    """

    tokens: tuple[int, ...]
    adapted_from: int | None = None


@dataclass(frozen=True)
class GreedyText:
    """Greedy text of the GGUF after a prompt."""

    prompt: PromptTokens
    tokens: tuple[int, ...]

    @property
    def whole(self) -> tuple[int, ...]:
        """Tokens to read to predict each position."""
        return (*self.prompt.tokens, *self.tokens[:-1])


@dataclass
class Difference:
    """Difference of logits from those expected, over all prompts.

    The error is taken against the spread of the logits around their mean at each
    position. Softmax does not see that mean, and where it is large (GPT-2's logits lie
    around -35 with a spread of 3) an error against the logits themselves would look a
    hundred times smaller than it is. So this is never laxer than the plain NMSE.
    """

    squares: float = 0.0
    variance: float = 0.0
    largest: float = 0.0
    same: int = 0
    positions: int = 0
    worst: float = 0.0
    """The NMSE of the worst prompt."""
    worst_prompt: int = 0
    prompts: int = 0

    def add(self, found: Logits, expected: Logits) -> None:
        """Add one prompt: (T, V) each."""
        error = found.astype(np.float64) - expected
        squares = float((error**2).sum())
        centred = expected.astype(np.float64)
        centred -= centred.mean(axis=-1, keepdims=True)
        variance = float((centred**2).sum())
        self.prompts += 1
        self.squares += squares
        self.variance += variance
        largest = float(np.abs(error).max())
        self.largest = max(self.largest, largest)
        self.same += int((found.argmax(-1) == expected.argmax(-1)).sum())
        self.positions += len(found)
        nmse = squares / max(variance, PART_OF_VARIANCE)
        if not nmse <= self.worst:  # also where it is no number
            self.worst, self.worst_prompt = nmse, self.prompts

    @property
    def nmse(self) -> float:
        """The NMSE over all prompts."""
        return self.squares / max(self.variance, PART_OF_VARIANCE)

    def holds(self, limit: float) -> bool:
        """Whether it is below `limit`, over all prompts and for each."""
        return self.worst < limit and self.nmse < limit

    def tolerance(self, limit: float) -> float:
        """Tolerance for two logits that may swap: the largest difference.

        Of a model that is wrong it excuses nothing.
        """
        return self.largest if self.holds(limit) else 0.0

    def check(self, limit: float, name: str = "logits") -> Check:
        """The check for the gate."""
        passed = self.holds(limit)
        where = "" if passed else f", worst {self.worst:.1e} on prompt "
        return Check(
            name=name,
            passed=passed,
            said=f"NMSE {self.nmse:.1e} over {self.prompts} prompts"
            + (f"{where}{self.worst_prompt}" if where else "")
            + f" (limit {limit:.0e}); the likeliest token is the same at "
            f"{self.same:,} of {self.positions:,} positions",
            figures={
                "NMSE": self.nmse,
                "NMSE of the worst prompt": self.worst,
                "NMSE limit": limit,
                "largest difference": self.largest,
                "same top p": self.same / max(1, self.positions),
                "positions": float(self.positions),
            },
        )


def read_prompts(
    tokenizer: PreTrainedTokenizerFast,
    context: int,
    size: int,
    invocation: Sequence[int] = (),
) -> list[PromptTokens]:
    """The 32 prompts in a model's tokens, the longest one last.

    Args:
        tokenizer: the Hugging Face one.
        context: the most tokens that the model can read.
        size: rows of embeddings; a prompt whose tokens have none is left out.
        invocation: of an activated LoRA, which has to be in each prompt: in its
            middle, so that the text before is read without the adapter.
    """
    texts = [*short_prompts(), prose()]
    prompts: list[PromptTokens] = []
    room = min(context, LONGEST) - len(invocation)
    for text in texts:
        tokens = tokenizer.encode(text, verbose=False)[:room]
        if not tokens or max(tokens) >= size:
            continue
        if not invocation:
            prompts.append(PromptTokens(tuple(tokens)))
            continue
        middle = (len(tokens) + 1) // 2
        whole = (*tokens[:middle], *invocation, *tokens[middle:])
        prompts.append(PromptTokens(whole, _last(whole, invocation)))
    return prompts


def _last(tokens: Sequence[int], part: Sequence[int]) -> int:
    """Last place at which `part` begins: from there an activated LoRA counts."""
    length = len(part)
    return max(
        at
        for at in range(len(tokens) - length + 1)
        if tuple(tokens[at : at + length]) == tuple(part)
    )


def write_greedily(
    gguf: GgufScorer, prompts: Sequence[PromptTokens]
) -> list[GreedyText]:
    """Has the GGUF write on after a few of the prompts."""
    context = gguf.opened.context
    chosen = [p for p in prompts if len(p.tokens) + GREEDY_TOKENS < context]
    step = max(1, len(chosen) // GREEDY_PROMPTS)
    return [
        GreedyText(
            prompt,
            tuple(gguf.greedy(prompt.tokens, GREEDY_TOKENS, prompt.adapted_from)),
        )
        for prompt in chosen[::step][:GREEDY_PROMPTS]
    ]


def hidden_states(
    model: StreamedModel, texts: Sequence[Sequence[int]], *, adapted: bool
) -> list[torch.Tensor]:
    """The last hidden states of `texts`, (tokens, hidden) for each, in their order.

    The longest is computed apart, so that the others are padded little.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    short, long = order[:-1], order[-1:]
    found: dict[int, torch.Tensor] = {}
    for group in (short, long):
        if group:
            states = model.hidden([texts[i] for i in group], adapted=adapted)
            found |= dict(zip(group, states, strict=True))
    return [found[i] for i in range(len(texts))]


def compare_logits(
    model: StreamedModel,
    gguf: GgufScorer,
    prompts: Sequence[PromptTokens],
    written: Sequence[GreedyText],
    *,
    limit: float,
    watcher: Watcher = unwatched,
) -> list[Check]:
    """Compare logits and greedy text of a model and its GGUF.

    Args:
        model: the Hugging Face side.
        gguf: the other side, opened to be exact.
        prompts: what both read.
        written: greedy text of the GGUF.
        limit: the NMSE that is allowed.
        watcher: is told how far it is.
    """
    check_sizes(model, gguf)
    texts = [*(p.tokens for p in prompts), *(w.whole for w in written)]
    hidden = hidden_states(model, texts, adapted=False)
    difference, certain = Difference(), Difference()
    greedy = Greedy()
    settled = model.settled(texts)
    with model.output_layer():
        for number, prompt in enumerate(prompts):
            watcher("logits", number, len(texts))
            expected = model.logits(hidden[number])[:, : gguf.opened.size]
            found = gguf.logits(prompt.tokens)
            difference.add(found, expected)
            if settled and (kept := settled[prompt.tokens].numpy()).any():
                certain.add(found[kept], expected[kept])
        note = ""
        if settled and not difference.holds(limit):
            aside = difference.positions - certain.positions
            note = (
                f"; {aside:,} of {difference.positions:,} positions are set aside, "
                "where the model's own routers want two experts about as much, or that "
                "look back at one"
            )
            difference = certain
        for number, text in enumerate(written, start=len(prompts)):
            watcher("logits", number, len(texts))
            error = difference.tolerance(limit)
            kept = int(settled[text.whole].sum()) if settled and note else None
            greedy.add(text, model.logits(hidden[number]), error, kept)
    watcher("logits", len(texts), len(texts))
    check = difference.check(limit)
    return [replace(check, said=check.said + note), greedy.check()]


def compare_adapted(
    model: StreamedModel,
    gguf: GgufScorer,
    prompts: Sequence[PromptTokens],
    written: Sequence[GreedyText],
    *,
    limit: float,
    watcher: Watcher = unwatched,
) -> list[Check]:
    """Compare an adapter's effect on a model with its GGUF's effect on the base's.

    The logits may differ by no more than `limit`, and beside that the change that the
    adapter makes to them must be the same: a weak adapter with the wrong scale moves
    the logits by less than the first would notice.
    """
    check_sizes(model, gguf)
    texts = [*(p.tokens for p in prompts), *(w.whole for w in written)]
    plain = hidden_states(model, texts[: len(prompts)], adapted=False)
    hidden = hidden_states(model, texts, adapted=True)
    difference, change, noise = Difference(), Difference(), Difference()
    greedy = Greedy()
    size = gguf.opened.size
    with model.output_layer():
        for number, prompt in enumerate(prompts):
            watcher("logits with the adapter", number, len(texts))
            start = prompt.adapted_from or 0
            base = model.logits(plain[number])[:, :size]
            adapted = model.logits(hidden[number], prompt.tokens, adapted=True)
            adapted = adapted[:, :size]
            gguf_base = gguf.logits(prompt.tokens)
            gguf_adapted = gguf.logits(prompt.tokens, adapted_from=start)
            difference.add(gguf_adapted, adapted)
            noise.add(gguf_base, base)
            change.add((gguf_adapted - gguf_base)[start:], (adapted - base)[start:])
        for number, text in enumerate(written, start=len(prompts)):
            watcher("logits with the adapter", number, len(texts))
            error = difference.tolerance(limit)
            logits = model.logits(hidden[number], text.whole, adapted=True)
            greedy.add(text, logits, error)
    watcher("logits with the adapter", len(texts), len(texts))
    return [
        difference.check(limit, "adapter logits"),
        effect_of(change, noise),
        greedy.check("adapter greedy text"),
    ]


class Greedy:
    """Compares greedy texts of a GGUF with those of its source."""

    def __init__(self, model: str = "the Hugging Face model") -> None:
        self.model = model
        self.texts = 0
        self.tokens = 0
        self.ties = 0
        self.wrong: list[str] = []

    def add(
        self,
        written: GreedyText,
        expected: Logits,
        error: float,
        positions: int | None = None,
    ) -> None:
        """Add one text.

        Args:
            written: by the GGUF.
            expected: the model's logits (T, V) over `written.whole`.
            error: the largest difference of logits that was measured on the prompts;
                two tokens that are closer than that may change places.
            positions: so many from the start are compared; `None`: all.
        """
        self.texts += 1
        start = len(written.prompt.tokens) - 1
        for step, token in enumerate(written.tokens):
            if positions is not None and start + step >= positions:
                break
            logits = expected[start + step]
            best = int(logits.argmax())
            self.tokens += 1
            if best == token:
                continue
            gap = float(logits[best] - logits[token])
            if gap < error:
                self.ties += 1
            else:
                self.wrong.append(
                    f"token {step + 1} of text {self.texts} is {token}, and "
                    f"{self.model} writes {best} (by {gap:.3g}, where the "
                    f"measured error is {error:.3g})"
                )

    def check(self, name: str = "greedy text") -> Check:
        """The check for the gate."""
        said = f"{self.tokens} tokens of {self.texts} texts, "
        if self.wrong:
            said += f"{len(self.wrong)} differ: {self.wrong[0]}"
        elif self.ties:
            said += f"equal but for {self.ties} near ties, closer than the error"
        else:
            said += "all equal"
        return Check(
            name=name,
            passed=not self.wrong and self.tokens > 0,
            said=said if self.tokens else "no prompt leaves room for a text",
            figures={
                "tokens": float(self.tokens),
                "near ties": float(self.ties),
                "different": float(len(self.wrong)),
            },
        )


def check_sizes(model: StreamedModel, gguf: GgufScorer) -> None:
    """Check that the GGUF has no tokens that the model lacks.

    It may have fewer: rows that only pad the embeddings are left out by some
    converters.

    Raises:
        ConvertError: it has more.
    """
    if gguf.opened.size > model.size:
        raise ConvertError(
            f"{gguf.model} has {gguf.opened.size:,} tokens, and {model.folder} has "
            f"{model.size:,}: it was made from another model"
        )


def effect_of(change: Difference, noise: Difference) -> Check:
    """Whether the adapter changes the logits as it should."""
    figures = {
        "NMSE of the change": change.nmse,
        "NMSE limit": LEAST_EFFECT,
        "size of the change": change.variance / max(noise.variance, PART_OF_VARIANCE),
    }
    # What cannot be told from the error of the files proves nothing.
    resolved = change.variance * LEAST_EFFECT > 2 * noise.squares
    if change.nmse < LEAST_EFFECT:
        said = f"the adapter's change has NMSE {change.nmse:.1e}"
        return Check(name="adapter effect", passed=True, said=said, figures=figures)
    if change.variance == 0 and change.squares == 0:
        said = "the adapter changes nothing, on both sides: it was not trained"
        return Check(name="adapter effect", passed=True, said=said, figures=figures)
    said = (
        f"the adapter's change has NMSE {change.nmse:.1e} (limit {LEAST_EFFECT:.0e}): "
        "its scale (alpha), its rows or its tensors are wrong"
        if resolved
        else "the adapter changes the logits by less than the files' own error; verify "
        "it with a base and an adapter in F32"
    )
    return Check(name="adapter effect", passed=False, said=said, figures=figures)


def tokens_of(folder: Path, tokenizer: PreTrainedTokenizerFast, size: int) -> None:
    """Check that all tokens of the tokenizer are in the GGUF.

    Raises:
        ConvertError: some are not.
    """
    if len(tokenizer) > size:
        raise ConvertError(
            f"{folder}: the tokenizer has {len(tokenizer):,} tokens, and the GGUF "
            f"{size:,}: it was made from another model"
        )

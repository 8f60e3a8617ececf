"""Asks a fine-tuned model from Python: `finetune.generate_response(...)`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from finetune.data.prepared_records import RecordMessage
from finetune.errors import FinetuneError
from finetune.evaluate.recipe import SYSTEM_PROMPT
from finetune.evaluate.torch_pair import Side, TorchPair, load_pair
from finetune.evaluate.written_answers import Writing, write
from finetune.train.chat_format import CannotRender, prompt_ids
from medassist.core.run_folder import ADAPTER, ADAPTER_WEIGHTS

KEPT = 1  # models in memory: the one that was asked last


def generate_response(
    query: str,
    *,
    run: str | Path,
    system_prompt: str | None = SYSTEM_PROMPT,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    side: Side = "tuned",
    base: str | None = None,
) -> str:
    """The tuned model's answer to a question.

    The model is loaded by the first call and kept for the next; it is loaded again
    when the run's adapter has changed. No network is used.

    Args:
        query: the question.
        run: the run folder, with a trained adapter.
        system_prompt: how to answer: by default professionally and with empathy;
            `None` for none, as in data that has none.
        max_new_tokens: of the answer at most.
        temperature: 0 takes the likeliest token each time.
        seed: of the sampling, where the temperature is above 0.
        side: `tuned`, or `base` for the same model without its adapter.
        base: where the base lies, if not where the run says.

    Raises:
        FinetuneError: the run cannot be loaded, the question is empty or too long, or
            the temperature is below 0.
    """
    if not query.strip():
        raise FinetuneError("the question is empty: there is nothing to answer.")
    if temperature < 0 or max_new_tokens < 1:
        raise FinetuneError(
            f"temperature {temperature} and max_new_tokens {max_new_tokens}: at least "
            "0 and 1 are needed."
        )
    if side not in ("base", "tuned"):
        raise FinetuneError(f"side {side!r} is not known; it is base or tuned.")
    folder = Path(run).expanduser().resolve()
    pair = _loaded(folder, base, _stamp(folder))
    opening = (
        [RecordMessage(role="system", content=system_prompt)] if system_prompt else []
    )
    try:
        tokens = prompt_ids(
            pair.tokenizer, [*opening, RecordMessage(role="user", content=query)]
        )
    except CannotRender as error:
        raise FinetuneError(f"the question cannot be put to the model: {error}.") from (
            error
        )
    if len(tokens) + max_new_tokens > pair.context:
        raise FinetuneError(
            f"the question has {len(tokens):,} tokens with its system prompt, and "
            f"{max_new_tokens:,} are kept for the answer: more than the context "
            f"of {pair.context:,}. Shorten it, or take a smaller max_new_tokens."
        )
    with pair.side(side):
        written = write(
            pair.model,
            pair.tokenizer,
            [tokens],
            Writing(max_new_tokens, temperature, seed),
        )
    return written[0].text


@lru_cache(KEPT)
def _loaded(folder: Path, base: str | None, _stamp: tuple[int, ...]) -> TorchPair:
    return load_pair(folder, base)


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes when the adapter does."""
    try:
        found = (folder / ADAPTER / ADAPTER_WEIGHTS).stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size)

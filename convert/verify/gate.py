"""The gate: verifies a GGUF against the model that it was made from.

Token ids, prompts, logits and greedy text against the Hugging Face model; for a
quantized file, what it lost against the unquantized one, which has passed itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from convert.chat_template import template_in
from convert.errors import ConvertError, in_our_words
from convert.gguf.contents import read_model, shards_of
from convert.hf_folder import read_config
from convert.plain_adapter import plain_adapter
from convert.quantize import quantize
from convert.unfinished import folder_beside
from convert.verify.embeddings import compare_embeddings
from convert.verify.identity import (
    check_unchanged,
    files_of_model,
    hash_of_files,
    hash_of_model,
    peak_memory,
    seen,
    versions,
)
from convert.verify.logits import (
    LIMITS,
    compare_adapted,
    compare_logits,
    read_prompts,
    tokens_of,
    write_greedily,
)
from convert.verify.quantization_loss import LossText, measure_loss
from convert.verify.quantized_tensors import compare_tensors
from convert.verify.rendered_prompts import PromptCheck, compare_prompts
from convert.verify.result import (
    hash_of,
    hashes_of_parts,
    read_verified,
    record,
    tensors_of,
)
from convert.verify.rounding import (
    PACKED,
    ROUNDED_TO,
    type_of_numbers,
    type_to_round_to,
)
from convert.verify.streamed_model import StreamedModel
from convert.verify.texts import CONTEXT
from convert.verify.token_ids import TokenCheck, compare_tokens
from convert.vocabulary import load_tokenizer
from convert.vocabulary.tokenizer_folder import FILE as TOKENIZER
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check, QuantizationLoss, Verified
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medassist.core.unpacked import read_unpacked
from medassist.engine.scorer import GgufScorer, GgufVocabulary


def verify_model(
    folder: Path,
    gguf: Path,
    *,
    against: Path | None = None,
    text: Path | None = None,
    template: str | None = None,
    threads: int | None = None,
    watcher: Watcher = unwatched,
) -> Verified:
    """Verify `gguf` against the model in `folder`, and record the result.

    Args:
        folder: the Hugging Face model.
        gguf: made from it; the first file of a split one.
        against: for a quantized file the unquantized one; it is verified first where
            that was not done yet.
        text: what the loss is measured on; by default the built-in prose.
        template: the chat template that it was taught in, in the place of the folder's.
        threads: for llama.cpp; by default one for each core.
        watcher: is told how far it is.

    Raises:
        ConvertError: a file cannot be read or belongs to another model. A file that
            is merely wrong is no error: its checks say so.
    """
    begun = time.monotonic()
    longest = _longest(folder)
    looked_at = [*files_of_model(folder), *shards_of(gguf)]
    looked_at += shards_of(against) if against else ()
    before = seen(looked_at)
    source = hash_of_model(folder)
    content = LossText.read(text)
    with in_our_words():
        # In a child first: what llama.cpp cannot load ends that, and not this.
        with GgufScorer(gguf, context=longest, exact=True, threads=threads) as opened:
            quantization = opened.opened.quantization
            numbers = type_of_numbers(folder, gguf, quantization)
            limit = LIMITS.get(numbers)
            if limit is None and against is None:
                raise ConvertError(
                    f"{gguf} is quantized ({quantization}), and its logits are not "
                    "those of the model; say what it was made from, so that the loss "
                    "can be measured: --against F16.gguf"
                )
            checks = _vocabulary(folder, opened.vocabulary, template, watcher)
            if limit is not None:
                checks += _weights(folder, opened, numbers, watcher)
        loss: QuantizationLoss | None = None
        if against is not None:
            if limit is None:
                checks.append(
                    _reference(
                        folder,
                        against,
                        source,
                        template=template,
                        threads=threads,
                        watcher=watcher,
                    )
                )
            checks.append(compare_tensors(gguf, against, watcher))
            check, loss = measure_loss(
                gguf, against, content, threads=threads, watcher=watcher
            )
            checks.append(check)
    found = Verified(
        kind="model",
        file=gguf.name,
        sha256=hash_of(gguf),
        parts=hashes_of_parts(gguf),
        tensors=tensors_of(gguf),
        quantization=quantization,
        model=folder.resolve().name,
        model_sha256=source,
        checks=tuple(checks),
        loss=loss,
        seconds=round(time.monotonic() - begun, 3),
        peak_mib=peak_memory(),
        versions=versions(),
    )
    check_unchanged(before)
    for notice in record(gguf, found):
        watcher(notice, 0, 0)
    return found


def verify_adapter(
    folder: Path,
    gguf: Path,
    adapter: Path,
    adapter_gguf: Path,
    *,
    threads: int | None = None,
    watcher: Watcher = unwatched,
) -> Verified:
    """Verify a GGUF adapter on its GGUF base against a PEFT adapter on its model.

    The base should have passed by itself: what differs there differs here.

    Args:
        folder: the Hugging Face base.
        gguf: the base, in F32, F16 or BF16; or the quantized file that `folder` was
            unpacked from, whose own weights are then computed with in float32.
        adapter: the PEFT adapter.
        adapter_gguf: made from it.
        threads: for llama.cpp.
        watcher: is told how far it is.

    Raises:
        ConvertError: as `verify_model`; or the base is quantized.
    """
    begun = time.monotonic()
    given, adapter = adapter, plain_adapter(adapter)
    parts = [adapter / ADAPTER_CONFIG, adapter / ADAPTER_WEIGHTS]
    before = seen([*files_of_model(folder), *parts, *shards_of(gguf), adapter_gguf])
    tokenizer = load_tokenizer(folder)
    with (
        in_our_words(),
        _as_floats(gguf, folder, adapter_gguf, threads, watcher) as exact,
        GgufScorer(
            exact, adapter_gguf, context=_longest(folder), exact=True, threads=threads
        ) as opened,
    ):
        numbers = opened.opened.quantization
        limit = _adapter_limit(numbers, gguf)
        invocation = opened.opened.invocation
        expected = _invocation(adapter)
        checks = [
            _same_invocation(invocation, expected),
            _taught(
                folder,
                opened.vocabulary if exact == gguf else gguf,
                adapter,
                adapter_gguf,
                watcher,
            ),
        ]
        tokens_of(folder, tokenizer, opened.opened.size)
        prompts = read_prompts(
            tokenizer, opened.opened.context, opened.opened.size, expected
        )
        if not expected:
            prompts = [type(p)(p.tokens, 0) for p in prompts]
        if checks[0].passed:
            written = write_greedily(opened, prompts)
            model = StreamedModel(folder, adapter, watcher)
            checks += _again_rounded(
                model,
                exact,
                numbers,
                lambda: compare_adapted(
                    model, opened, prompts, written, limit=limit, watcher=watcher
                ),
            )
    found = Verified(
        kind="adapter",
        file=adapter_gguf.name,
        sha256=hash_of(adapter_gguf),
        tensors=tensors_of(adapter_gguf),
        quantization="LoRA",
        model=given.resolve().name,
        model_sha256=hash_of_files(parts),
        base_sha256=hash_of(gguf),
        base_model_sha256=hash_of_model(folder),
        checks=tuple(checks),
        seconds=round(time.monotonic() - begun, 3),
        peak_mib=peak_memory(),
        versions=versions(),
    )
    check_unchanged(before)
    for notice in record(adapter_gguf, found):
        watcher(notice, 0, 0)
    return found


@contextmanager
def _as_floats(
    gguf: Path, folder: Path, near: Path, threads: int | None, watcher: Watcher
) -> Generator[Path]:
    """`gguf`, or for the time of the call its weights in F32, by llama.cpp's own hand.

    On a quantized file llama.cpp rounds what goes into a matrix, too, which would hide
    what is wrong with an adapter; the weights are the very same: where `folder` was
    unpacked from the file, or has its experts in MXFP4 as the file has.
    """
    found = read_model(gguf)
    unpacked = read_unpacked(folder)
    if not (
        type_of_numbers(folder, gguf, found.quantization) == PACKED
        or (found.quantized and unpacked and hash_of(gguf) in unpacked.sha256.values())
    ):
        yield gguf
        return
    with folder_beside(near) as half:
        whole = half / "f32.gguf"
        quantize(
            gguf,
            whole,
            ["F32"],
            allow_requantize=True,
            threads=threads,
            watcher=watcher,
        )
        yield whole


def _vocabulary(
    folder: Path, gguf: GgufVocabulary, template: str | None, watcher: Watcher
) -> list[Check]:
    tokens = compare_tokens(folder, gguf, template=template, watcher=watcher)
    prompts = compare_prompts(folder, gguf, template=template, watcher=watcher)
    return [
        _compared("token ids", tokens, "texts"),
        _compared("rendered prompt", prompts, "conversations"),
    ]


def _taught(
    folder: Path,
    gguf: Path | GgufVocabulary,
    adapter: Path,
    adapter_gguf: Path,
    watcher: Watcher,
) -> Check:
    """Whether the pair is asked in what the adapter was taught in."""
    own = (adapter / TOKENIZER).is_file()
    prompts = compare_prompts(
        adapter if own else folder,
        gguf,
        template=template_in(adapter),
        adapter=adapter_gguf,
        watcher=watcher,
    )
    return _compared("rendered prompt", prompts, "conversations")


def _compared(name: str, found: TokenCheck | PromptCheck, what: str) -> Check:
    said = f"{found.compared} {what} equal"
    if not found.equal:
        said = f"{found.differences} differences: {found.first_difference}"
    return Check(
        name=name,
        passed=found.equal,
        said="; ".join((said, *found.notes)),
        figures={
            "compared": float(found.compared),
            "different": float(found.differences),
        },
    )


def _weights(
    folder: Path, opened: GgufScorer, numbers: str, watcher: Watcher
) -> list[Check]:
    limit = LIMITS[numbers]
    tokenizer = load_tokenizer(folder)
    tokens_of(folder, tokenizer, opened.opened.size)
    prompts = read_prompts(tokenizer, opened.opened.context, opened.opened.size)
    if not prompts:
        raise ConvertError(f"{folder}: the tokenizer reads none of the prompts")
    written = write_greedily(opened, prompts)
    model = StreamedModel(folder, watcher=watcher)
    logits = _again_rounded(
        model,
        opened.model,
        numbers,
        lambda: compare_logits(
            model, opened, prompts, written, limit=limit, watcher=watcher
        ),
    )
    rows = compare_embeddings(opened.model, model.tables(), limit, watcher)
    return [rows, *logits]


def _again_rounded(
    model: StreamedModel, gguf: Path, numbers: str, compare: Callable[[], list[Check]]
) -> list[Check]:
    """Compare, and where it fails, once more in the arithmetic of the file's type.

    llama.cpp rounds what goes into a BF16 matrix to BF16, which in a deep model adds
    up to an NMSE of about the limit (1e-4) in a file that is right bit for bit; and
    where a router wants two experts about as much, a rounding decides, in F16 too.
    With the same rounding on both sides what remains is the file's. Experts in MXFP4
    are compared so at once: what goes into them llama.cpp rounds to Q8_0.
    """
    note = _rope_note(model)
    if numbers == PACKED:
        note = f" (in {numbers} as llama.cpp computes it){note}"
    else:
        checks = compare()
        if numbers not in ROUNDED_TO or all(c.passed for c in checks):
            return _noted(checks, note)
        said = f"in float32 {checks[0].said}; here in {numbers} as llama.cpp computes"
        note = f" ({said} it){note}"
    model.rounded_to = type_to_round_to(gguf)
    return _noted(compare(), note)


def _rope_note(model: StreamedModel) -> str:
    said = ", ".join(f"`{key}` {value}".lower() for key, value in model.rope.items())
    return f"; with RoPE's {said}, as llama.cpp computes it" if said else ""


def _noted(checks: list[Check], note: str) -> list[Check]:
    first, *rest = checks
    return [replace(first, said=first.said + note), *rest]


def _longest(folder: Path) -> int:
    """Tokens that may be read at a time.

    Longrope has two tables. transformers takes the one for long texts where the text
    is longer than the model once was trained on, llama.cpp where the context is: here
    both stay below.
    """
    config = read_config(folder)
    scaling = config.part("rope_parameters") or config.part("rope_scaling")
    values = scaling.values if scaling else {}
    kind = values.get("rope_type") or values.get("type")
    if kind not in ("longrope", "su"):
        return CONTEXT
    original = config.values.get("original_max_position_embeddings")
    original = original or values.get("original_max_position_embeddings")
    return min(CONTEXT, original) if isinstance(original, int) else CONTEXT


def _reference(
    folder: Path,
    against: Path,
    source: str,
    *,
    template: str | None,
    threads: int | None,
    watcher: Watcher,
) -> Check:
    """Whether the file that a quantized one is measured against is right itself."""
    known = read_verified(against)
    before = known is not None and known.model_sha256 == source
    found = known if known is not None and before else None
    if found is None:
        found = verify_model(
            folder, against, template=template, threads=threads, watcher=watcher
        )
    if found.quantization not in LIMITS:
        raise ConvertError(
            f"{against} is quantized itself ({found.quantization}), and what it lost "
            "would not be seen; give the F16, BF16 or F32 file that both are made of"
        )
    if found.passed:
        said = f"{against.name} is verified" + (" (before)" if before else "")
        return Check(name="reference", passed=True, said=said)
    first = found.failed[0]
    said = f"{against.name} is wrong itself: {first.name}: {first.said}"
    return Check(name="reference", passed=False, said=said)


def _adapter_limit(numbers: str, gguf: Path) -> float:
    if numbers not in LIMITS:
        raise ConvertError(
            f"{gguf} is quantized ({numbers}), and what it lost would hide what "
            "is wrong with the adapter; verify the adapter on the F16 or F32 base"
        )
    # The adapter's own matrices may be F16 on a base in F32.
    return max(LIMITS[numbers], LIMITS["F16"])


def _invocation(adapter: Path) -> tuple[int, ...]:
    from convert.hf_folder import JsonFile

    config = JsonFile.read(adapter / ADAPTER_CONFIG)
    return tuple(config.values.get("alora_invocation_tokens") or ())


def _same_invocation(found: tuple[int, ...], expected: tuple[int, ...]) -> Check:
    if found == expected:
        said = f"tokens {list(expected)}" if expected else "none: it counts throughout"
    else:
        said = f"the GGUF says {list(found)}, the adapter {list(expected)}"
    return Check(name="invocation", passed=found == expected, said=said)

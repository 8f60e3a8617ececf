"""Verifies that a merged GGUF is its base plus the adapter.

What both files hold is compared value for value and tensor for tensor, and then
llama.cpp is asked: its logits with the adapter laid on the base, against those of the
merged file.

To multiply with a quantized weight llama.cpp rounds the other factor too. In a small
model of 30 layers that noise reaches an NMSE of 0.01, in which a tensor that was
forgotten would hide. So the tight comparison is made with the base decoded, in a file
that is made for it and taken away; and the pair as it is has to agree but for the
noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import Keys

from convert.encode import Kind
from convert.errors import ConvertError, in_our_words
from convert.gguf.contents import GgufFacts, read_model
from convert.gguf.head import entry_bytes, read_head
from convert.gguf.lora import WeightChange
from convert.gguf.tensors import StoredTensor, stored_tensors
from convert.merge.gguf_merge import Sources, values_of, write_model
from convert.safetensors_file import FLOATS
from convert.unfinished import folder_beside
from convert.verify.identity import (
    check_unchanged,
    hash_of_files,
    peak_memory,
    seen,
    versions,
)
from convert.verify.logits import (
    LEAST_EFFECT,
    Difference,
    Greedy,
    PromptTokens,
    effect_of,
    write_greedily,
)
from convert.verify.quantization_loss import LossText, measure_loss
from convert.verify.quantized_tensors import MOST_ERROR, ROWS
from convert.verify.result import hash_of, hashes_of_parts, record, tensors_of
from convert.verify.texts import CONTEXT, LONGEST, prose, short_prompts
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check, QuantizationLoss, Verified
from medassist.engine.scorer import GgufScorer
from medassist.exams.log_probs import Logits

LARGEST_NOISE = 0.1
"""NMSE between the pair as it is and the merged file. What llama.cpp's rounding made
of SmolLM2 135M in Q4_1, a small model with large outliers, was 0.008; of a file with
another adapter in it 1."""
LIMITS = {"F32": 1e-6, "F16": 1e-4, "BF16": 1e-3}
"""NMSE by the types of the matrices in all files. Beside one in BF16, or of an adapter
that is quantized, llama.cpp rounds the other factor too, and two that differ in their
last bits to different steps."""
EVERY = 4
"""Of the prompts, every fourth is read without the adapter too, and by the pair as it
is: reading is what takes the time."""
ERRORS = {"F32": 1e-10, "F16": 1e-5, "BF16": 1e-4, "Q8_0": 1e-3}
"""NMSE of a changed weight by its type; rounding alone gives a tenth or less."""
SHARE, SHARE_OF_ONE = 0.1, 0.5
"""Tolerances for the share of the change in the file: of the sum, of one weight."""


def verify_merged(
    base: Path,
    adapter: Path,
    merged: Path,
    *,
    text: Path | None = None,
    threads: int | None = None,
    watcher: Watcher = unwatched,
) -> Verified:
    """Verify that `merged` is `base` plus `adapter`, and record the result.

    Args:
        base: the GGUF; the first file of a split one.
        adapter: a plain LoRA of it.
        merged: made from both.
        text: what the loss is measured on where the changed weights are quantized; by
            default the built-in prose.
        threads: for llama.cpp; by default one for each core.
        watcher: is told how far it is.

    Raises:
        ConvertError: a file cannot be read or loaded. One that is merely wrong is no
            error: its checks say so.
    """
    begun = time.monotonic()
    sources = Sources.read(base, adapter)
    found = read_model(merged)
    before = seen([*sources.base.files, adapter, *found.files])
    checks = [_tensors(sources, merged, watcher)]
    loss: QuantizationLoss | None = None
    if checks[0].passed:
        kinds = {tensor.name: tensor.kind for tensor in found.tensors}
        checks += [_metadata(sources, found, kinds), _template(sources, found)]
        with (
            in_our_words(),
            _decoded(sources, kinds, merged, watcher) as (whole, is_base),
        ):
            if not found.quantized:
                checks += _logits(
                    whole,
                    sources,
                    merged,
                    is_base=is_base,
                    threads=threads,
                    watcher=watcher,
                )
            else:
                check, loss = measure_loss(
                    merged,
                    whole,
                    LossText.read(text),
                    adapter=adapter,
                    threads=threads,
                    watcher=watcher,
                )
                loss = replace(loss, against=_names(sources))
                checks.append(check)
    verified = Verified(
        kind="model",
        file=merged.name,
        sha256=hash_of(merged),
        parts=hashes_of_parts(merged),
        tensors=tensors_of(merged),
        quantization=found.quantization,
        model=_names(sources),
        model_sha256=hash_of_files([*sources.base.files, adapter]),
        base_sha256=hash_of(base),
        adapter_sha256=hash_of(adapter),
        checks=tuple(checks),
        loss=loss,
        seconds=round(time.monotonic() - begun, 3),
        peak_mib=peak_memory(),
        versions=versions(),
    )
    check_unchanged(before)
    for notice in record(merged, verified):
        watcher(notice, 0, 0)
    return verified


def _names(sources: Sources) -> str:
    return f"{sources.base.file.name} + {sources.adapter.facts.file.name}"


def _tensors(sources: Sources, merged: Path, watcher: Watcher) -> Check:
    """Whether each tensor is the base's, or that with the change of the adapter."""
    originals, found = stored_tensors(sources.base.file), stored_tensors(merged)
    wrong = [
        f"{name} is in {merged.name if name in found else sources.base.file.name} only"
        for name in sorted(originals.keys() ^ found.keys())
    ]
    worst, parts, wholes = 0.0, 0.0, 0.0
    for number, (name, original) in enumerate(originals.items()):
        watcher("tensors", number, len(originals))
        if name not in found or wrong:
            continue
        if found[name].fact.shape != original.fact.shape:
            wrong.append(f"{name} has another shape than in the base")
        elif name not in sources.adapter.loras:
            if not _same(found[name], original):
                wrong.append(f"{name} is not the base's, and no adapter changes it")
        else:
            lora = sources.adapter.loras[name]
            error, part, whole = _changed(found[name], original, lora)
            limit = ERRORS.get(found[name].fact.type, MOST_ERROR)
            worst, parts, wholes = max(worst, error), parts + part, wholes + whole
            if not error <= limit:
                wrong.append(
                    f"{name} is not base + adapter (NMSE {error:.2g}, limit {limit:g})"
                )
            elif whole and not abs(part / whole - 1) <= SHARE_OF_ONE:
                wrong.append(_too_coarse(name, part / whole, found[name].fact.type))
    watcher("tensors", len(originals), len(originals))
    share = parts / wholes if wholes else 1.0
    if not wrong and not abs(share - 1) <= SHARE:
        types = {found[name].fact.type for name in sources.adapter.loras}
        wrong.append(_too_coarse("all weights", share, ", ".join(sorted(types))))
    changed = len(sources.adapter.loras)
    said = (
        f"{len(originals) - changed} as in the base, {changed} with the adapter's "
        f"change, {100 * share:.1f} % of it"
    )
    return Check(
        name="tensors",
        passed=not wrong,
        said=wrong[0] if wrong else said,
        figures={
            "NMSE of the worst tensor": worst,
            "share of the change": share,
            "different": float(len(wrong)),
        },
    )


def _too_coarse(what: str, share: float, kind: str) -> str:
    return (
        f"of the adapter's change of {what} {100 * share:.0f} % is in the file: {kind} "
        "is too coarse for it, or it was not merged; take --outtype f16 or q8_0"
    )


def _same(found: StoredTensor, original: StoredTensor) -> bool:
    """Whether a weight that nothing changes is the base's, or that in another type."""
    if found.fact.type == original.fact.type:
        return np.array_equal(found.raw(), original.raw())
    rows = _some_rows(original)
    wanted, is_now = (t.floats(rows).astype(np.float64) for t in (original, found))
    return _nmse(is_now, wanted) <= ERRORS.get(found.fact.type, MOST_ERROR)


def _changed(
    found: StoredTensor, original: StoredTensor, lora: WeightChange
) -> tuple[float, float, float]:
    """Some rows of a changed weight against what they are to be, in float64.

    Returns:
        The NMSE, and two sums whose quotient is the share of the change that is there.
    """
    rows = _some_rows(original)
    before = original.floats(rows).astype(np.float64)
    left, right = lora.left.floats(rows), lora.right.floats()
    right = right.T if lora.turned else right
    change = lora.scale * (left.astype(np.float64) @ right.astype(np.float64))
    wanted, is_now = before + change, found.floats(rows).astype(np.float64)
    return (
        _nmse(is_now, wanted),
        float(((is_now - before) * change).sum()),
        float((change**2).sum()),
    )


def _some_rows(tensor: StoredTensor) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, tensor.rows - 1, ROWS).astype(np.int64))


def _nmse(found: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> float:
    size = float((wanted**2).sum())
    error = float(((found - wanted) ** 2).sum())
    return error / size if size else error


def _metadata(sources: Sources, found: GgufFacts, kinds: Mapping[str, Kind]) -> Check:
    """Whether the file says what its base says, but for what a merge has to change."""
    file = sources.base.file
    old, new = read_head(file), read_head(found.file)
    said = values_of(sources, kinds)
    wrong: list[str] = []
    for key in {**old.values, **new.values}:
        if key in (Keys.General.ARCHITECTURE, Keys.General.QUANTIZATION_VERSION):
            same = found.architecture == sources.base.architecture
        elif key in said:
            same = new.values.get(key) == said[key]
        else:
            same = old.values.get(key) == [] or (
                entry_bytes(file, old, key) == entry_bytes(found.file, new, key)
            )
        if not same:
            wrong.append(key)
    what = f"{len(old.values)} values: settings, tokens and end tokens are the base's"
    if wrong:
        what = f"{wrong[0]} is not the base's; {len(wrong)} values differ"
    return Check(
        name="metadata",
        passed=not wrong,
        said=what,
        figures={"different": float(len(wrong))},
    )


def _template(sources: Sources, found: GgufFacts) -> Check:
    own = sources.adapter.facts.template is not None
    passed = found.template == sources.template
    whose = "the adapter's own" if own else "the base's"
    said = whose if passed else f"it is not {whose}"
    if passed and found.template is None:
        said = "neither file has one"
    return Check(name="chat template", passed=passed, said=said)


@contextmanager
def _decoded(
    sources: Sources, kinds: Mapping[str, Kind], merged: Path, watcher: Watcher
) -> Iterator[tuple[Path, bool]]:
    """The base with its weights decoded.

    Yields:
        A file, and whether it is the base itself, in which none is quantized.
    """
    if not sources.base.quantized:
        yield sources.base.file, True
        return
    try:
        with folder_beside(merged.with_name(f"{merged.stem}-base.gguf")) as folder:
            whole = folder / "decoded.gguf"
            types = {
                tensor.name: kinds[tensor.name]
                if kinds[tensor.name].name in FLOATS
                else Kind.F16
                for tensor in sources.base.tensors
            }
            write_model(
                sources, whole, types, change=False, force=True, watcher=watcher
            )
            yield whole, False
    except OSError as error:
        raise ConvertError(
            f"{merged.parent} takes no more ({error.strerror}); to prove a merge it is "
            "decoded once more there: make room"
        ) from error


def _logits(
    whole: Path,
    sources: Sources,
    merged: Path,
    *,
    is_base: bool,
    threads: int | None,
    watcher: Watcher,
) -> list[Check]:
    """Logits and greedy text of the merged file, and of adapter on base."""
    adapter = sources.adapter.facts.file
    difference, change = Difference(), Difference()
    plain: list[Logits] = []
    with (
        _exactly(whole, adapter, threads) as pair,
        _exactly(merged, None, threads) as one,
    ):
        prompts = _prompts(one)
        for number, prompt in enumerate(prompts):
            watcher("logits", number, len(prompts))
            with_adapter = pair.logits(prompt.tokens, adapted_from=0)
            found = one.logits(prompt.tokens)
            difference.add(found, with_adapter)
            if number % EVERY == 0:
                plain.append(pair.logits(prompt.tokens))
                change.add(found - plain[-1], with_adapter - plain[-1])
        types = _types(whole, merged, adapter)
        limit = max(LIMITS.get(name, LIMITS["BF16"]) for name in types)
        greedy = Greedy("the base with the adapter")
        for written in write_greedily(one, prompts):
            expected = pair.logits(written.whole, adapted_from=0)
            greedy.add(written, expected, difference.tolerance(limit))
        watcher("logits", len(prompts), len(prompts))
        checks = [difference.check(limit), greedy.check()]
        if is_base:
            return [*checks, effect_of(change, Difference())]
        as_it_is, noise = _as_it_is(sources, one, prompts[::EVERY], plain, threads)
        return [*checks, _effect(change, noise), as_it_is]


def _effect(change: Difference, noise: Difference) -> Check:
    """The adapter's effect, where it stands out of llama.cpp's rounding."""
    found = effect_of(change, noise)
    if found.passed or change.variance * LEAST_EFFECT > 2 * noise.squares:
        return found
    said = (
        "it is less than what llama.cpp's rounding does to the quantized base; that it "
        "is whole is seen of the tensors alone"
    )
    return replace(found, passed=True, said=said)


def _as_it_is(
    sources: Sources,
    merged: GgufScorer,
    prompts: Sequence[PromptTokens],
    plain: Sequence[Logits],
    threads: int | None,
) -> tuple[Check, Difference]:
    """The quantized base with the adapter, as the program and llama.cpp run it.

    Returns:
        Whether it agrees, and how far the base alone is from its decoded self, whose
        logits are `plain`.
    """
    difference, noise = Difference(), Difference()
    adapter = sources.adapter.facts.file
    with _exactly(sources.base.file, adapter, threads) as pair:
        for prompt, decoded in zip(prompts, plain, strict=True):
            wanted = pair.logits(prompt.tokens, adapted_from=0)
            difference.add(merged.logits(prompt.tokens), wanted)
            noise.add(pair.logits(prompt.tokens), decoded)
    check = difference.check(LARGEST_NOISE, "the pair as it is")
    return replace(check, passed=difference.nmse < LARGEST_NOISE), noise


def _exactly(model: Path, adapter: Path | None, threads: int | None) -> GgufScorer:
    return GgufScorer(model, adapter, context=CONTEXT, exact=True, threads=threads)


def _prompts(model: GgufScorer) -> list[PromptTokens]:
    room = min(model.opened.context, LONGEST)
    read = (model.tokenize(text)[:room] for text in [*short_prompts(), prose()])
    return [PromptTokens(tuple(tokens)) for tokens in read if tokens]


def _types(*ggufs: Path) -> set[str]:
    """The types in which the matrices of these files are stored."""
    return {
        tensor.fact.type
        for gguf in ggufs
        for tensor in stored_tensors(gguf).values()
        if len(tensor.shape) > 1
    }

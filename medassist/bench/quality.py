"""Measures what quantizing cost on a text: perplexity, divergence, same top token.

Names and arithmetic are those of llama-perplexity. Its errors take the tokens of a text
for independent, which they are not; the intervals here come of drawing whole chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from medassist.bench.errors import BenchError
from medassist.bench.events import Event, Progressed, Said, StepFailed
from medassist.bench.reference import MOST_BYTES, Reference
from medassist.bench.results import Figure
from medassist.bench.targets import TOKENS, Target, why_not_comparable
from medassist.bench.work import Step, Work, scorer_facts, settings
from medassist.core.errors import EngineError
from medassist.core.files import (
    NotAFileError,
    make_folder,
    read_text,
    sha256_of_file,
)
from medassist.core.gguf import read_header
from medassist.core.paths import cache_dir
from medassist.core.words import size
from medassist.engine.scorer import BATCH, GgufScorer
from medassist.exams.chunks import CONTEXT, ScoredChunk
from medassist.exams.log_probs import (
    Floats,
    Logits,
    TokenComparison,
    compare,
    log_softmax,
)
from medassist.exams.perplexity import (
    MEAN_KLD,
    PPL,
    PPL_RATIO,
    SAME_TOP,
    perplexity,
    text_loss,
)

DRAWS = 2000
LEVEL = 0.95
SEED = 0


def steps(work: Work) -> list[Step]:
    """One for each row but the adapters', which are no quantizations."""
    return [_step(work, target) for target in _rows(work)]


def measure(work: Work) -> Generator[Event]:
    """Measure what is left.

    Raises:
        BenchError: the text or the file of results cannot be used.
    """
    left = [step for step in steps(work) if not work.done(step)]
    if not left:
        return
    text = _text(work)
    own = [step for step in left if _is_reference(work, step.target)]
    others = [step for step in left if step not in own]
    if work.wishes.reference is not None and len(left) > 1:
        yield _told_of_room(work, work.wishes.reference)
    with _reference(work, len(left)) as reference:
        for step in (*own, *others):
            try:
                if step in others and (why := _why_not(work, step.target)):
                    yield StepFailed(step.target.name, "quality", why)
                    continue
                yield work.begin(step, "quality")
                if work.wishes.reference is None:
                    yield from _alone(work, step, text)
                elif step in own:
                    yield from _of_reference(work, step, reference, text)
                else:
                    yield from _beside(work, step, reference, text)
            except EngineError as error:
                yield StepFailed(step.target.name, "quality", str(error))
            reference.unload()


def _reference(work: Work, reads: int) -> Reference:
    """The reference, whose logits are kept where it is asked more than once."""
    model = (work.wishes.reference or work.targets[0]).model
    folder = cache_dir()
    make_folder(folder)
    most = MOST_BYTES if reads > 1 else 0
    return Reference(model, settings(work.wishes)[0].threads, folder, most)


def _is_reference(work: Work, target: Target) -> bool:
    reference = work.wishes.reference
    return reference is not None and reference.facts.sha256 == target.facts.sha256


def _why_not(work: Work, target: Target) -> str:
    """Why a model cannot be laid beside the reference; empty where it can."""
    reference = work.wishes.reference
    why = why_not_comparable(target.model, reference.model) if reference else ""
    if not why or reference is None:
        return ""
    return f"Token by token it cannot be compared with {reference.name}: {why}."


def _alone(work: Work, step: Step, text: str) -> Generator[Event]:
    """A model without a reference: its perplexity."""
    with GgufScorer(
        step.target.model, threads=settings(work.wishes)[0].threads
    ) as model:
        chunks = model.chunks(text)[: work.wishes.chunks]

        def read(chunk: ScoredChunk) -> Logits:
            return model.logits(chunk.tokens[:-1], chunk.first)

        yield from _losses_of(work, step, chunks, read)


def _of_reference(
    work: Work, step: Step, reference: Reference, text: str
) -> Generator[Event]:
    """The reference's own perplexity."""
    chunks = reference.chunks(text)[: work.wishes.chunks]
    yield from _losses_of(work, step, chunks, reference.logits)


def _losses_of(
    work: Work,
    step: Step,
    chunks: Sequence[ScoredChunk],
    read: Callable[[ScoredChunk], Logits],
) -> Generator[Event]:
    losses: list[Floats] = []
    for number, chunk in enumerate(chunks):
        losses.append(_losses(log_softmax(read(chunk)), chunk))
        yield Progressed(step.target.name, "chunks", number + 1, len(chunks))
    whole = perplexity(np.concatenate(losses)).value
    drawn = _drawn(_ppl, [float(loss.mean()) for loss in losses])
    yield work.keep(
        step,
        figures={PPL: drawn.model_copy(update={"value": whole})},
        samples={"nll": tuple(float(loss.mean()) for loss in losses)},
        notes=_notes(chunks),
        settings=scorer_facts(work.wishes, CONTEXT, BATCH),
    )


def _beside(
    work: Work, step: Step, reference: Reference, text: str
) -> Generator[Event]:
    """A model beside the reference: perplexity, divergence, same top token."""
    parts: list[TokenComparison] = []
    with GgufScorer(
        step.target.model, threads=settings(work.wishes)[0].threads
    ) as model:
        chunks = model.chunks(text)[: work.wishes.chunks]
        for number, chunk in enumerate(chunks):
            wanted = reference.logits(chunk)
            found = model.logits(chunk.tokens[:-1], chunk.first)
            parts.append(compare(found, wanted, chunk.targets))
            yield Progressed(step.target.name, "chunks", number + 1, len(chunks))
    yield work.keep(
        step,
        figures=compared_figures(parts),
        samples=_by_chunk(parts),
        notes=_notes(chunks),
        settings=scorer_facts(work.wishes, CONTEXT, BATCH),
    )


def _told_of_room(work: Work, reference: Target) -> Said:
    """Sentence on the reference's logits: half of a chunk's positions, 4 bytes each."""
    tokens = read_header(reference.model, keep=(TOKENS,)).metadata.get(TOKENS, ())
    words = len(tokens) if isinstance(tokens, tuple) else 0
    wanted = work.wishes.chunks * (CONTEXT // 2) * words * 4
    return Said(
        f"{reference.name} reads the text once: its logits take up to "
        f"{size(min(wanted, MOST_BYTES))} in {cache_dir()} until the quality of all "
        "models is known."
    )


def _notes(chunks: Sequence[ScoredChunk]) -> tuple[str, ...]:
    return (f"{len(chunks)} chunks of {len(chunks[0].tokens)} tokens",)


def compared_figures(parts: Sequence[TokenComparison]) -> dict[str, Figure]:
    """llama-perplexity's figures; the leading ones with intervals over chunks.

    Args:
        parts: one for each chunk, of as many tokens each.
    """
    loss = text_loss(parts, CONTEXT)
    figures = {
        name: Figure(value=f.value, unit=f.unit) for name, f in loss.figures.items()
    }
    nll = [float(part.nll.mean()) for part in parts]
    ratio = [float((part.nll - part.base_nll).mean()) for part in parts]
    kld = [float(part.kld.mean()) for part in parts]
    same = [100 * float(part.same_top.mean()) for part in parts]
    for name, by_chunk, read in (
        (PPL, nll, _ppl),
        (PPL_RATIO, ratio, _ppl),
        (MEAN_KLD, kld, _plain),
        (SAME_TOP, same, _plain),
    ):
        drawn = _drawn(read, by_chunk)
        figures[name] = figures[name].model_copy(
            update={"low": drawn.low, "high": drawn.high}
        )
    return figures


def _drawn(read: Callable[[Floats], Floats], by_chunk: Sequence[float]) -> Figure:
    """A figure of the mean over chunks, with the interval of drawing them anew."""
    values = np.asarray(by_chunk, np.float64)
    random = np.random.default_rng(SEED)
    drawn = random.integers(0, len(values), (DRAWS, len(values)))
    means = read(values[drawn].mean(axis=1))
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(means, (tail, 100 - tail))
    centre = read(np.array([values.mean()]))[0]
    return Figure(value=float(centre), low=float(low), high=float(high))


def _ppl(means: Floats) -> Floats:
    return np.exp(means)


def _plain(means: Floats) -> Floats:
    return means


def _losses(log_probs: Floats, chunk: ScoredChunk) -> Floats:
    targets = chunk.targets
    return -log_probs[np.arange(len(targets)), targets]


def _by_chunk(parts: Sequence[TokenComparison]) -> dict[str, tuple[float, ...]]:
    """Sums that every figure with an interval can be computed from again."""
    return {
        "nll": tuple(float(part.nll.mean()) for part in parts),
        "base nll": tuple(float(part.base_nll.mean()) for part in parts),
        "KLD": tuple(float(part.kld.mean()) for part in parts),
        "same top": tuple(float(part.same_top.mean()) for part in parts),
    }


def _rows(work: Work) -> list[Target]:
    return [target for target in work.targets if target.adapter is None]


def _text(work: Work) -> str:
    file = work.wishes.text
    assert file is not None
    try:
        return read_text(file)
    except UnicodeDecodeError as error:
        raise BenchError(
            f"{file} is no text in UTF-8 (byte {error.start:,}). Convert it, or give "
            "another one with --text."
        ) from None
    except NotAFileError as error:
        raise BenchError(f"{file} is {error.what}, where a text is wanted.") from None
    except OSError as error:
        raise BenchError(f"{file} cannot be read: {error.strerror}.") from error


def _step(work: Work, target: Target) -> Step:
    wishes = work.wishes
    depends: list[str] = []
    if wishes.text is not None and wishes.text.is_file():
        depends.append(sha256_of_file(wishes.text))
    if wishes.reference is not None:
        depends.append(wishes.reference.facts.sha256)
    reference = wishes.reference.name if wishes.reference else None
    return Step(
        "quality",
        target,
        {
            "text": wishes.text.name if wishes.text else None,
            "reference": reference,
            "chunks": wishes.chunks,
            "n_ctx": CONTEXT,
        },
        depends=tuple(depends),
    )

"""What quantizing cost on a text: perplexity, divergence, same top token.

Names and arithmetic are those of llama-perplexity. Its errors take the tokens of a text
for independent, which they are not; the intervals here come of drawing whole chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack

import numpy as np

from medassist.bench.errors import BenchError
from medassist.bench.events import Event, Failed, Progressed
from medassist.bench.results import Figure
from medassist.bench.targets import Target, why_not_comparable
from medassist.bench.work import Step, Work, settings
from medassist.core.errors import EngineError
from medassist.core.files import NotAFileError, read_text, sha256_of_file
from medassist.engine.scorer import GgufScorer
from medassist.exams.chunks import CONTEXT, ScoredChunk
from medassist.exams.log_probs import Floats, TokenComparison, compare, log_softmax
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
    for step in left:
        reference = work.wishes.reference
        if reference is not None and reference.facts.sha256 == step.target.facts.sha256:
            reference = None
        try:
            if reference is not None:
                why = why_not_comparable(step.target.model, reference.model)
                if why:
                    yield Failed(
                        step.target.name,
                        "quality",
                        "Token by token it cannot be compared with "
                        f"{reference.name}: {why}.",
                    )
                    continue
            yield work.begin(step, "quality")
            yield from _read(work, step, reference, text)
        except EngineError as error:
            yield Failed(step.target.name, "quality", str(error))


def _read(
    work: Work, step: Step, reference: Target | None, text: str
) -> Generator[Event]:
    threads = settings(work.wishes)[0].threads
    parts: list[TokenComparison] = []
    losses: list[Floats] = []
    with ExitStack() as stack:
        enter = stack.enter_context
        model = enter(GgufScorer(step.target.model, threads=threads))
        base = (
            enter(GgufScorer(reference.model, threads=threads)) if reference else None
        )
        chunks = model.chunks(text)[: work.wishes.chunks]
        for number, chunk in enumerate(chunks):
            found = model.logits(chunk.tokens[:-1], chunk.first)
            if base is None:
                losses.append(_losses(log_softmax(found), chunk))
            else:
                wanted = base.logits(chunk.tokens[:-1], chunk.first)
                parts.append(compare(found, wanted, chunk.targets))
            yield Progressed(step.target.name, "chunks", number + 1, len(chunks))
    if base is not None:
        figures = compared_figures(parts)
    else:
        figures = {PPL: _drawn(_ppl, [loss.mean() for loss in losses])}
        figures[PPL] = figures[PPL].model_copy(
            update={"value": perplexity(np.concatenate(losses)).value}
        )
    yield work.keep(
        step,
        figures=figures,
        samples=_by_chunk(parts, losses),
        notes=(f"{len(chunks)} chunks of {len(chunks[0].tokens)} tokens",),
    )


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


def _by_chunk(
    parts: Sequence[TokenComparison], losses: Sequence[Floats]
) -> dict[str, tuple[float, ...]]:
    """Sums that every figure with an interval can be computed from again."""
    if not parts:
        return {"nll": tuple(float(loss.mean()) for loss in losses)}
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

"""Measures the loss of a quantized GGUF against its original.

In llama-perplexity's way: chunks of 512 tokens with BOS at their start, of which the
second half is scored, the cache in F16.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ConvertError
from convert.quantization_types import HOPELESS, quantization_types
from convert.verify.result import hash_of
from convert.verify.texts import prose
from medassist.core.files import read_text
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check, Estimate, QuantizationLoss
from medassist.engine.scorer import GgufScorer
from medassist.exams.log_probs import Logits
from medassist.exams.perplexity import MEAN_KLD, PPL_RATIO, SAME_TOP, TextDivergence
from medassist.exams.scorer import compare_on_text

BUILT_IN = "built-in"


@dataclass(frozen=True)
class LossText:
    """The text on which a loss is measured."""

    name: str
    content: str

    @classmethod
    def read(cls, file: Path | None) -> LossText:
        """The text in `file`, or the built-in one.

        Raises:
            ConvertError: it cannot be read, or is no text.
        """
        if file is None:
            return cls(BUILT_IN, prose())
        try:
            return cls(file.name, read_text(file))
        except OSError as error:
            raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConvertError(
                f"{file} is no text in UTF-8 (byte {error.start:,}); give a text file"
            ) from error

    @property
    def sha256(self) -> str:
        """Hash of its UTF-8."""
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True)
class _Adapted:
    """A model that reads with its adapter throughout."""

    scorer: GgufScorer

    def logits(self, tokens: Sequence[int], first: int = 0) -> Logits:
        return self.scorer.logits(tokens, first, adapted_from=0)


def measure_loss(
    gguf: Path,
    against: Path,
    text: LossText,
    *,
    adapter: Path | None = None,
    threads: int | None = None,
    watcher: Watcher = unwatched,
) -> tuple[Check, QuantizationLoss]:
    """Measure what `gguf` lost against `against` on `text`.

    Args:
        gguf: the quantized file.
        against: what it was made from.
        text: what both read.
        adapter: a GGUF adapter that is laid on `against` from the first token on.
        threads: for llama.cpp.
        watcher: is told how far it is.

    Returns:
        Whether it lost no more than a good quantization of its type does, and how
        much it lost.

    Raises:
        ConvertError: the two are not of one model, or the text is too short.
        EngineError: a file cannot be loaded.
    """
    with (
        GgufScorer(against, adapter, threads=threads) as base,
        GgufScorer(gguf, threads=threads) as model,
    ):
        if base.opened.size != model.opened.size:
            raise ConvertError(
                f"{gguf} has {model.opened.size:,} tokens and {against} "
                f"{base.opened.size:,}: they are not of one model"
            )
        if base.tokenize(text.content) != model.tokenize(text.content):
            raise ConvertError(
                f"{gguf} and {against} read the text as different tokens: they are not "
                "of one model"
            )
        reference = base if adapter is None else _Adapted(base)
        found = compare_on_text(model, reference, base.chunks(text.content), watcher)
        quantization = model.opened.quantization
    loss = QuantizationLoss(
        against=against.name,
        against_sha256=hash_of(against),
        text=text.name,
        text_sha256=text.sha256,
        tokens=found.tokens,
        chunks=found.chunks,
        context=found.context,
        figures={
            name: Estimate(value=f.value, error=f.error, unit=f.unit)
            for name, f in found.figures.items()
        },
    )
    return _check(found, quantization), loss


def _check(found: TextDivergence, quantization: str) -> Check:
    """A bound that a broken file does not keep.

    Eight times what the type cost a model of 8 B, and never more than 3 nats (see
    `convert.quantization_types`): a file whose tensors were swapped or spoiled lands
    near the loss of guessing.
    """
    kind = quantization_types().get(quantization)
    most = kind.most_kld if kind else HOPELESS
    kld, ratio = found.value(MEAN_KLD), found.value(PPL_RATIO)
    passed = math.isfinite(kld) and kld <= most
    said = (
        f"mean KLD {kld:.6f} (a {quantization} may cost {most:.3g}), same top "
        f"{found.value(SAME_TOP):.2f} %, PPL x {ratio:.4f}, {found.tokens:,} tokens"
    )
    if not passed:
        said += "; so much is not the type's price: the file is broken"
    return Check(
        name="quantization loss",
        passed=passed,
        said=said,
        figures={"Mean KLD limit": most},
    )

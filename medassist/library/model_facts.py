"""Facts about a model or pair as label and text, for the screen and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medassist.core.clean import clean_line
from medassist.core.values import LETTERS, PANES, Sampling
from medassist.core.words import parameters, size, tokens

if TYPE_CHECKING:
    from medassist.library.catalogue import ListedModel, ListedPair


def model_facts(
    model: ListedModel, available: int | None = None
) -> list[tuple[str, str]]:
    """All known facts about a model."""
    hashed = model.sha256 or ""
    if hashed and model.hash_is == "as its source says":
        hashed += " (as its source says)"
    facts = [
        ("name", model.name),
        ("problem", model.problem),
        ("kind", model.kind),
        ("calls itself", model.title),
        ("file", str(model.path)),
        ("origin", _origin(model)),
        ("architecture", model.architecture),
        ("parameters", parameters(model.parameters) if model.parameters else ""),
        ("size", size(model.bytes) if model.bytes else ""),
        ("quantization", model.quantization),
        ("context", tokens(model.context) if model.context else ""),
        ("chat template", model.template),
        ("licence", model.licence or "not said"),
        ("sha256", hashed or "not computed yet"),
        ("verified", _verified(model)),
        ("card", str(model.card) if model.card else "none"),
    ]
    if model.need is not None:
        facts.append(("memory", _fits(model.need, model.fits, available)))
    return [(label, clean_line(text)) for label, text in facts if text]


def _verified(model: ListedModel) -> str:
    if not model.verified_as:
        return model.verified
    return (
        f"its tensors are those of {model.verified_as}, which is verified; the rest "
        "was written anew by Ollama, and `medassist convert publish` compares that"
    )


def _origin(model: ListedModel) -> str:
    if model.origin == "shipped":
        return "shipped with the program"
    return f"{model.origin} {model.source}".strip()


def pair_facts(pair: ListedPair, available: int | None = None) -> list[tuple[str, str]]:
    """Facts about a pair as a whole."""
    facts = [
        ("pair", pair.name + (" (the default)" if pair.is_default else "")),
        ("problem", pair.problem),
        ("is", pair.remark),
    ]
    if pair.need is not None:
        facts += [
            ("memory", _fits(pair.need, pair.fits, available)),
            (
                "made of",
                f"weights {size(pair.weights)}, KV caches of both panes "
                f"{size(pair.kv)}, computing {size(pair.compute)}, the process",
            ),
        ]
    for pane in PANES:
        letter = LETTERS[pane]
        asked = pair.asked.asked(pane)
        if asked.system:
            facts.append((f"system prompt {letter}", asked.system))
        if asked.sampling is not None:
            facts.append((f"sampling {letter}", sampling_words(asked.sampling)))
    return [(label, clean_line(text)) for label, text in facts if text]


def _fits(need: int, verdict: str, available: int | None) -> str:
    of = f" of {size(available)} free" if available is not None else ""
    return f"about {size(need)}{of}: {verdict}"


def sampling_words(sampling: Sampling, seed: bool = True) -> str:
    """Sampling settings in one line, with the seed or without."""
    said = [
        f"temperature {sampling.temperature:g}",
        f"top-k {sampling.top_k}",
        f"top-p {sampling.top_p:g}",
        f"min-p {sampling.min_p:g}",
        f"repeat penalty {sampling.repeat_penalty:g} on the answer alone",
    ]
    if seed:
        said.append(f"seed {sampling.seed}")
    if sampling.max_tokens is not None:
        said.append(f"at most {sampling.max_tokens} tokens")
    if sampling.thinking != "auto":
        said.append(f"thinking {sampling.thinking}")
    if sampling.stop:
        said.append("stops at " + ", ".join(repr(text) for text in sampling.stop))
    return ", ".join(said)

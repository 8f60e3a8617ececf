"""Facts about an answer, in words. No widgets in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from medassist.consult.answer import Answer, Conditions, ModelFile
from medassist.consult.sides import Sides
from medassist.core.clean import clean_line
from medassist.core.values import PaneName
from medassist.library.model_facts import sampling_words
from medassist.session.fingerprints import Fingerprint
from medassist.tui.wording import pane as wording
from medassist.tui.wording import screens

Known = Callable[[ModelFile], Fingerprint | None]


@dataclass(frozen=True)
class Fact:
    """One thing that is known of an answer."""

    label: str
    text: str
    """Empty: it does not apply, or is not known yet."""
    warns: bool = False


def facts(answer: Answer, known: Known, computes: bool) -> list[Fact]:
    """All that is known of `answer`. The labels are the same for every answer.

    Args:
        answer: The answer.
        known: The fingerprint of a file, where it has been computed.
        computes: Fingerprints are being computed, since no answer is being written.
    """
    source = answer.source
    weights, adapter = (*source.files, None, None)[:2]
    return [
        Fact("model", source.name),
        Fact("file", _name(weights)),
        Fact("folder", _folder(weights)),
        *_fingerprint("sha256", weights, known, computes),
        Fact("adapter", _name(adapter)),
        Fact("folder of adapter", _folder(adapter)),
        *_fingerprint("sha256 of adapter", adapter, known, computes),
        Fact("quantization", source.quantization),
        *_setup(answer.conditions),
        *_course(answer),
        *_sampling(answer.conditions),
    ]


def _name(file: ModelFile | None) -> str:
    return clean_line(file.path.name) if file else ""


def _folder(file: ModelFile | None) -> str:
    return clean_line(str(file.path.parent.absolute())) if file else ""


def _fingerprint(
    label: str, file: ModelFile | None, known: Known, computes: bool
) -> list[Fact]:
    found = known(file) if file else None
    if found is not None:
        text, remark = found.sha256, found.problem or found.remark
    else:
        later = screens.COMPUTING if computes else screens.COMPUTED_LATER
        text, remark = later if file else "", ""
    return [
        Fact(label, text),
        Fact("", clean_line(remark), warns=bool(found and found.problem)),
    ]


def _setup(conditions: Conditions | None) -> list[Fact]:
    setup = conditions.setup if conditions else None
    template = "" if setup is None else screens.OWN_TEMPLATE
    if setup and setup.template == "plain":
        template = screens.PLAIN_TEMPLATE
    return [
        Fact("architecture", clean_line(setup.architecture) if setup else ""),
        Fact("chat template", template),
        Fact("KV cache", setup.kv.upper() if setup else ""),
        Fact("flash attention", _on_off(setup.flash_attention) if setup else ""),
        Fact("threads", str(setup.threads) if setup else ""),
        Fact("confined by", conditions.confined if conditions else ""),
    ]


def _on_off(value: bool) -> str:
    return "on" if value else "off"


def _course(answer: Answer) -> list[Fact]:
    """Figures of the answer: tokens, speed, and how it ended."""
    figures = answer.figures
    ttft = figures.ttft_s if figures else None
    speed = figures.tok_per_s if figures else None
    return [
        Fact("tokens read", f"{figures.tokens_read:,}" if figures else ""),
        Fact("tokens reused", f"{figures.tokens_reused:,}" if figures else ""),
        Fact("tokens written", f"{answer.tokens:,}"),
        Fact("gone on with", screens.gone_on(figures.gone_on_at) if figures else ""),
        Fact("TTFT", f"{ttft:.2f} s" if ttft is not None else ""),
        Fact("speed", f"{speed:.1f} tok/s" if speed is not None else ""),
        Fact("ended", wording.ending(answer)),
    ]


def _sampling(conditions: Conditions | None) -> list[Fact]:
    if conditions is None:
        return [Fact("system prompt", ""), Fact("seed", ""), Fact("sampling", "")]
    sampling = conditions.sampling
    return [
        Fact("system prompt", clean_line(conditions.system)),
        Fact("seed", str(sampling.seed)),
        Fact("sampling", sampling_words(sampling, seed=False)),
    ]


def as_text(found: Mapping[PaneName, list[Fact]], sides: Sides) -> str:
    """The facts as text for the clipboard, one answer below the other."""
    return "\n\n".join(
        "\n".join(
            [
                wording.name(pane, sides),
                *(f"{fact.label:<19}{fact.text}" for fact in listed if fact.text),
            ]
        )
        for pane, listed in found.items()
    )

"""Plan of a publication: models, names, files, settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts, read_facts, read_model
from convert.go_template.source import ChatSource, source_of_gguf
from convert.ollama.adapter_support import check_adapter
from convert.ollama.model_names import ModelName
from convert.ollama.model_settings import OllamaSettings, OllamaWishes, settings_from


@dataclass(frozen=True)
class PublishPlan:
    """One model to publish."""

    name: ModelName
    files: tuple[Path, ...]
    """The GGUF, or all parts of a split one."""
    facts: GgufFacts
    """Facts of the first part, with the tensors of all."""
    adapter: Path | None
    source: ChatSource
    settings: OllamaSettings


def make_plans(
    name: ModelName, ggufs: Sequence[Path], adapter: Path | None, wishes: OllamaWishes
) -> list[PublishPlan]:
    """Plans for `ggufs`: one model each, tagged by quantization if there are several.

    Raises:
        ConvertError: a file is no model, two would have one name, or the adapter
            cannot be used.
    """
    if name.tag and len(ggufs) > 1:
        raise ConvertError(
            f"{name} has a tag, and {len(ggufs)} files are given; leave out the tag: "
            "each gets its quantization as one"
        )
    plans: list[PublishPlan] = []
    lora = None if adapter is None else read_facts(adapter)
    for gguf in ggufs:
        facts = read_model(gguf)
        own = name
        if len(ggufs) > 1:
            if facts.quantization == "?":
                raise ConvertError(
                    f"{gguf} names no quantization, so there is no tag for it; publish "
                    "it alone, as NAME:TAG"
                )
            own = name.tagged(facts.quantization)
        for plan in plans:
            if str(plan.name) == str(own):
                raise ConvertError(
                    f"{plan.files[0]} and {gguf} are both {facts.quantization}, so "
                    f"both would be {own}; publish one of them"
                )
        if lora is not None:
            check_adapter(lora, facts)
        plans.append(_plan(own, facts, adapter, wishes))
    return plans


def merged_plan(
    plan: PublishPlan, merged: Path, wishes: OllamaWishes, why: str = ""
) -> PublishPlan:
    """The plan for `merged`, in which base and adapter of `plan` are one file.

    Raises:
        ConvertError: its settings cannot be derived.
    """
    made = _plan(plan.name, read_model(merged), None, wishes)
    note = (
        f"{plan.files[0].name} and {plan.adapter} were merged{why}. What is published "
        f"is {merged} ({made.facts.quantization}), proven against both."
    )
    settings = replace(made.settings, notes=(note, *made.settings.notes))
    return replace(made, settings=settings)


def _plan(
    name: ModelName, facts: GgufFacts, adapter: Path | None, wishes: OllamaWishes
) -> PublishPlan:
    source = source_of_gguf(facts, date=wishes.date)
    settings = settings_from(source, wishes)
    return PublishPlan(name, facts.files, facts, adapter, source, settings)

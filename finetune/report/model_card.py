"""README.md of a run: the model card that the Hugging Face Hub shows.

The block above it is read by the Hub: base, library, licence, data sets, figures. All
words of others are escaped, since Markdown can hold HTML and links.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finetune.evaluate.result import Comparison
from finetune.report.public_names import is_hub_id
from finetune.report.run_facts import RunFacts
from finetune.report.sections.loss_curves import METHODS, epochs
from finetune.report.sections.results import titles
from finetune.report.tuned_licence import data_licences, licence_id
from finetune.report.wording import (
    capital,
    difference,
    figure,
    interval,
    level,
    metric_of,
    short_verdict,
    subject,
)
from medassist.core.card import Card, TunedFrom, Tuning
from medassist.core.words import duration
from medassist.report.shown import shown_line

TEMPLATES = Path(__file__).parent / "templates"
# HTML, links, code, tables and emphasis begin with these.
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_URL = re.compile(r"https://[\w./~%?=&#+:@-]+", re.ASCII)


def model_card(facts: RunFacts, card: Card) -> str:
    """The model card of a run as Markdown; the same facts give the same text.

    Args:
        facts: of the run, with a finished training.
        card: of the same run.
    """
    training = facts.training
    base, tuning = card.tuned_from, next(iter(card.tuning.values()), None)
    if training is None or base is None or tuning is None:
        raise ValueError("a model card needs a finished training")
    hub_base = training.base.name if is_hub_id(training.base.name) else None
    template = _environment().get_template("README.md.j2")
    return template.render(
        card=card,
        base=base,
        tuning=tuning,
        method=METHODS[training.method.kind],
        metadata=_metadata(facts, card, base, hub_base),
        hub_base=hub_base,
        sources=card.sources,
        rows=_rows(facts),
        note=facts.evaluation.data.note if facts.evaluation else "",
        hashes=_hashes(card),
        epochs=epochs(tuning.epochs),
        duration=_took(tuning),
    )


def _took(tuning: Tuning) -> str:
    return duration(60 * tuning.minutes)


def _metadata(
    facts: RunFacts, card: Card, base: TunedFrom, hub_base: str | None
) -> str:
    licence = licence_id(base.licence, data_licences(facts.manifest))
    found: dict[str, Any] = {}
    if hub_base:
        found["base_model"] = hub_base
    found["library_name"] = "peft"
    found["license"] = licence
    if licence == "other":
        # The Hub takes small letters and hyphens here.
        found["license_name"] = "base-and-data"
    found["pipeline_tag"] = "text-generation"
    if card.sources:
        found["datasets"] = [source.name for source in card.sources]
    found["tags"] = ["medical", "lora", "medassist"]
    index = _model_index(facts, card)
    if index:
        found["model-index"] = index
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=1000)


def _model_index(facts: RunFacts, card: Card) -> list[dict[str, Any]]:
    """The figures of the tuned model; each name says n, and the base beside it."""
    if facts.evaluation is None or not facts.evaluation.comparisons:
        return []
    named = titles(facts.evaluation)
    results: dict[str, dict[str, Any]] = {}
    for found in facts.evaluation.comparisons:
        result = results.setdefault(
            found.subject,
            {
                "task": {"type": "text-generation"},
                "dataset": {
                    "name": shown_line(subject(found, named)),
                    "type": re.sub(r"[^\w.-]+", "-", shown_line(found.subject)),
                },
                "metrics": [],
            },
        )
        result["metrics"].append(
            {
                "type": found.metric,
                "value": found.tuned,
                "name": f"{metric_of(found.metric).name} (n = {found.n}; base "
                f"{figure(found.base, metric_of(found.metric))}; difference "
                f"{difference(found)}, {level(found)} interval {interval(found)})",
                "verified": False,
            }
        )
    return [{"name": shown_line(card.name), "results": list(results.values())}]


def _rows(facts: RunFacts) -> list[tuple[str, ...]]:
    if facts.evaluation is None:
        return []
    named = titles(facts.evaluation)

    def row(found: Comparison) -> tuple[str, ...]:
        metric = metric_of(found.metric)
        return (
            f"{capital(subject(found, named))}: {metric.name}",
            f"{found.n:,}",
            figure(found.base, metric),
            figure(found.tuned, metric),
            difference(found),
            f"{interval(found)} ({level(found)})",
            short_verdict(found),
        )

    return [row(found) for found in facts.evaluation.comparisons]


def _hashes(card: Card) -> list[tuple[str, str]]:
    lineage = card.lineage
    return [
        *((name, sha256) for name, sha256 in lineage.run.items()),
        *lineage.data.items(),
        *(
            (f"base: {name}", sha256)
            for name, sha256 in (
                card.tuned_from.files if card.tuned_from else {}
            ).items()
        ),
        *((f"adapter ({kind})", sha256) for kind, sha256 in lineage.adapters.items()),
        *((f"gguf/{name}", sha256) for name, sha256 in lineage.gguf.items()),
    ]


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        # Markdown is escaped by `md`; HTML's escapes would show as they are.
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"md": md, "url": _url, "thousands": _thousands, "python": _python}
    return made


def md(words: str) -> str:
    """Words of others as Markdown that shows them, on one line."""
    return _MARKS.sub(r"\\\1", shown_line(words))


def _url(address: str) -> str:
    return address if _URL.fullmatch(address) else ""


def _thousands(value: int) -> str:
    return f"{value:,}"


def _python(words: str) -> str:
    return json.dumps(words)

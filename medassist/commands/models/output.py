"""Output of `medassist models`; all names from files are cleaned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medassist.core.clean import clean, clean_line
from medassist.core.words import short_hash, size, tokens
from medassist.library.model_facts import model_facts, pair_facts

if TYPE_CHECKING:
    from medassist.library.catalogue import Catalogue, ListedModel, ListedPair
    from medassist.library.hub.pull_plan import PullPlan
    from medassist.library.lookup import CheckedModel
    from medassist.library.model_import import Imported

WIDEST = 44
_WEIGHTS = {"wrong": "WRONG", "look": "look ", "note": "note "}


def listed(found: Catalogue) -> str:
    """The list as a table."""
    parts = ["Pairs", _table(_PAIR_HEADS, [_pair_row(p) for p in found.pairs])]
    if found.models:
        parts += ["", "Models"]
        parts.append(_table(_MODEL_HEADS, [_model_row(m) for m in found.models]))
    else:
        parts += ["", "No models yet: `medassist models import FILE` takes one in."]
    parts.append("")
    parts.append(f"Memory that is free: {size(found.available)}.")
    parts += [
        clean_line(f"{pair.name} is {pair.remark}")
        for pair in found.pairs
        if pair.title
    ]
    wrong = [
        f"{one.name}: {clean(one.problem)}"
        for one in (*found.pairs, *found.models)
        if one.problem
    ]
    return "\n".join([*parts, *wrong, *(clean(p) for p in found.problems)])


_PAIR_HEADS = ("name", "base", "tuned", "size", "memory", "fits", "")
_MODEL_HEADS = (
    *("name", "kind", "architecture", "size", "quantization", "context", "template"),
    *("licence", "sha256", "verified", "fits"),
)


def _pair_row(pair: ListedPair) -> tuple[str, ...]:
    tuned = pair.tuned or (f"+ {pair.adapter}" if pair.adapter else "-")
    base = pair.base or "-"
    if pair.demonstration and pair.parts:
        base, tuned = pair.parts[0].name, f"+ {pair.parts[-1].name}"
    return (
        pair.name,
        base,
        tuned,
        size(pair.bytes) if pair.files else "?",
        size(pair.need),
        pair.fits,
        "default" if pair.is_default else "",
    )


def _model_row(model: ListedModel) -> tuple[str, ...]:
    return (
        model.name,
        model.kind,
        model.architecture or "?",
        size(model.bytes) if model.bytes else "?",
        model.quantization or "?",
        tokens(model.context) if model.kind == "model" else "-",
        model.template,
        model.licence or "not said",
        short_hash(model.sha256),
        model.verified,
        model.fits if model.kind == "model" else "-",
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[_short(clean_line(cell)) for cell in row] for row in [list(heads), *rows]]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    return "\n".join(
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def shown_model(model: ListedModel, available: int | None) -> str:
    """Facts about a model, line by line."""
    return _lines(model_facts(model, available))


def shown_pair(pair: ListedPair, available: int | None) -> str:
    """Facts about a pair and its models, line by line."""
    parts = [_lines(model_facts(part)) for part in pair.parts]
    return "\n\n".join([_lines(pair_facts(pair, available)), *parts])


def _lines(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{label:<16}{text}" for label, text in facts)


def imported(found: Imported, as_json: bool) -> str:
    """The imported names, in words."""
    if as_json:
        return json.dumps(
            {
                "models": list(found.models),
                "pair": found.pair,
                "notes": list(found.notes),
            },
            indent=2,
            ensure_ascii=False,
        )
    lines = [f"In the library: {', '.join(found.models)}"]
    if found.pair:
        lines.append(
            f"As the pair {found.pair}; `medassist --pair {found.pair}` opens it."
        )
    return clean("\n".join([*lines, *found.notes]))


def checked(found: Sequence[CheckedModel]) -> str:
    """Findings of a check, the worst first."""
    lines: list[str] = []
    for one in found:
        lines.append(f"{one.name}: " + ("" if one.findings else "nothing is wrong."))
        order = list(_WEIGHTS)
        lines += [
            f"  {_WEIGHTS[finding.weight]}  {finding.text}"
            for finding in sorted(one.findings, key=lambda f: order.index(f.weight))
        ]
    return clean("\n".join(lines))


def checked_json(found: Sequence[CheckedModel]) -> str:
    """Findings of a check as JSON."""
    return json.dumps([one.model_dump() for one in found], indent=2, ensure_ascii=False)


def planned(plan: PullPlan) -> str:
    """Prints what a download would fetch, and from where."""
    lines = [
        f"{plan.repo} at {plan.commit[:12]}, licence: {plan.licence or 'not said'}"
    ]
    width = max(len(file.name) for file in plan.files)
    lines += [
        f"  {file.name:<{width}}  {size(file.bytes):>9}  from {file.host}"
        f"  sha256 {short_hash(file.sha256)}"
        for file in plan.files
    ]
    lines.append(f"In all {size(plan.bytes)}. Hosts: {', '.join(plan.hosts)}.")
    lines.append(
        f"Your token goes to {plan.host} alone."
        if plan.uses_token
        else "Without a token."
    )
    return clean("\n".join(lines))

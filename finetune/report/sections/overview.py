"""Sections on objective, process and recipe."""

from __future__ import annotations

import re

import yaml

from finetune.recipe import TrainRecipe
from finetune.report.public_names import base_name
from finetune.report.run_facts import RunFacts
from finetune.report.sections.loss_curves import METHODS, epochs
from finetune.report.wording import counted, listed
from finetune.train.result import TrainingResult
from medassist.core.words import duration
from medassist.report.elements import (
    Column,
    Items,
    Listing,
    Part,
    Section,
    Table,
    Text,
)

_FOLDER = re.compile(r"(?:[A-Za-z]:)?[/\\~].*")


def objective(facts: RunFacts) -> Section:
    """The section: what the run was to find out."""
    base = _base(facts) or "the base model"
    parts: list[Part] = []
    if facts.recipe and facts.recipe.about:
        parts.append(Text(facts.recipe.about))
    learned = _learned(facts)
    compared = (
        "They have not been compared yet."
        if facts.evaluation is None
        else "Both are measured on the same held-out items, which were kept out of the "
        "tuning."
    )
    parts.append(
        Text(
            f"To find out whether {base} does better on medical text after a small "
            f"adapter (LoRA) was trained {learned}, and where it does worse. {compared}"
        )
    )
    parts.append(
        Text(
            "The result is a language model and no medical device: nothing that it "
            "writes may be relied on for a diagnosis, a treatment or a dose."
        )
    )
    return Section(
        "objective",
        "Objective",
        tuple(parts),
        notes="One question: is the tuned model better than its base on text that "
        "the tuning has not seen, by how much, and where is it worse?",
    )


def process(facts: RunFacts) -> Section:
    """The section: what was done, in order, from the files that say so."""
    done: list[str] = []
    manifest, training, evaluation = facts.manifest, facts.training, facts.evaluation
    if manifest is not None:
        read = sum(source.read for source in manifest.sources)
        kept = sum(split.records for split in manifest.splits)
        splits = listed([f"{s.records:,} {s.name}" for s in manifest.splits])
        by = "within documents" if manifest.divided else "by document or patient"
        done.append(
            f"Prepared: {counted(read, 'record')} read from "
            f"{counted(len(manifest.sources), 'data set')}, {kept:,} kept after "
            f"{listed([step.name for step in manifest.steps if step.name != 'read'])}; "
            f"split {by} into {splits}."
        )
    if training is not None:
        done.append(
            f"Trained: {METHODS[training.method.kind]}, rank {training.method.rank}, "
            f"{epochs(training.epochs)}, "
            f"{counted(training.steps, 'step')}, {duration(training.seconds)}. The "
            "checkpoint with the lowest validation loss was kept."
            if training.best.validation_loss is not None
            else f"Trained: {METHODS[training.method.kind]}, "
            f"{counted(training.steps, 'step')}, {duration(training.seconds)}, without "
            "a validation set; the last checkpoint was kept."
        )
    if evaluation is not None:
        exams = listed([exam.title or exam.task for exam in evaluation.exams])
        done.append(
            "Evaluated: base and tuned on "
            f"{counted(evaluation.data.records, 'record')} of the split "
            f"“{evaluation.data.split}”"
            + (f", and on {exams}" if exams else "")
            + f", in {duration(evaluation.seconds)}."
        )
    if facts.verdicts is not None:
        done.append(
            "Read by clinicians: "
            f"{counted(len(facts.verdicts.verdicts), 'verdict')} in "
            f"{counted(facts.verdicts.consultations, 'consultation')}."
        )
    card = facts.card
    if card is not None and card.lineage.gguf:
        passed = sum(file.passed for file in card.verified.values())
        done.append(
            f"Converted: {counted(len(card.lineage.gguf), 'GGUF file')}, {passed} of "
            "them verified against the model they were made from."
        )
    return Section("process", "Process", (Items(tuple(done), numbered=True),))


def recipe(facts: RunFacts) -> Section | None:
    """The section: the settings that matter most; None without a recipe."""
    asked = facts.recipe
    if asked is None:
        return None
    train, lora = asked.train, asked.lora
    rows = [
        ("Base model", base_name(asked.base)),
        ("Method", METHODS[lora.method]),
        (
            "Rank, alpha, dropout",
            f"{lora.r}, {lora.scale:g}, {lora.dropout:g}",
        ),
        (
            "Modules",
            lora.targets if isinstance(lora.targets, str) else ", ".join(lora.targets),
        ),
        (
            "Learning rate",
            f"{train.rate:g}, {train.schedule}, warm-up {100 * train.warm_up:g} %",
        ),
        (
            "Length",
            counted(train.steps, "step")
            if train.steps is not None
            else epochs(train.epochs),
        ),
        (
            "Rows of a step",
            f"{train.rows:,} of up to {train.max_length:,} tokens"
            + (", packed" if train.packing else ""),
        ),
        ("Precision", _precision(train.precision, facts.training)),
        ("Seed", f"{asked.seed}"),
    ]
    parts: list[Part] = [
        Table(
            "The settings that matter most",
            (Column("Setting"), Column("Value", wide=True)),
            tuple(rows),
        )
    ]
    expected = asked.expected
    if expected.time or expected.memory or expected.cost:
        said = [
            f"{name} {value}"
            for name, value in (
                ("memory", expected.memory),
                ("time", expected.time),
                ("cost", expected.cost),
            )
            if value
        ]
        source = f" ({expected.source})" if expected.source else ""
        on = f" on {expected.hardware}" if expected.hardware else ""
        parts.append(
            Text(
                f"Expected by the recipe{on}: {'; '.join(said)}{source}.",
                on_slides=False,
            )
        )
    return Section("recipe", "Recipe", tuple(parts))


def _precision(asked: str, training: TrainingResult | None) -> str:
    """Precision that was asked for, and the one used: a CPU does not train in fp16."""
    if training is None or training.precision == asked:
        return asked
    return f"{training.precision} ({asked} was asked for)"


def whole_recipe(facts: RunFacts) -> Section | None:
    """The section at the end: every setting; None without a recipe."""
    if facts.recipe is None:
        return None
    return Section(
        "settings",
        "All settings",
        (
            Listing(
                "recipe.yaml, every default written out; of folders on the computer "
                "that trained, the last name is shown",
                recipe_text(facts.recipe),
            ),
        ),
    )


def recipe_text(asked: TrainRecipe) -> str:
    """The recipe as YAML, without the paths of the computer that it was used on."""
    shortened = _without_folders(asked.model_dump(mode="json"))
    return yaml.safe_dump(shortened, sort_keys=False, allow_unicode=True, width=88)


def _without_folders(value: object) -> object:
    match value:
        case dict():
            return {key: _without_folders(inner) for key, inner in value.items()}
        case list():
            return [_without_folders(inner) for inner in value]
        case str() if _FOLDER.fullmatch(value):
            return f"…/{base_name(value)}"
        case _:
            return value


def _base(facts: RunFacts) -> str:
    if facts.training is not None:
        return base_name(facts.training.base.name)
    if facts.recipe is not None:
        return base_name(facts.recipe.base)
    return facts.evaluation.models.base.name if facts.evaluation else ""


def _learned(facts: RunFacts) -> str:
    if facts.manifest is None:
        return "on the data of this run"
    split = next((s for s in facts.manifest.splits if s.name == "train"), None)
    if split is None:
        return "on the data of this run"
    kinds = [
        counted(count, one)
        for count, one in ((split.dialogues, "dialogue"), (split.texts, "text"))
        if count
    ]
    titles = [s.title or s.name for s in facts.manifest.sources if s.kept]
    from_where = listed(titles) if len(titles) <= 4 else f"{len(titles)} data sets"
    return f"on {listed(kinds) or 'no record'} from {from_where}"

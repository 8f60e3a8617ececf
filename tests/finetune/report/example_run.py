"""A run folder as prepare, train and evaluate leave one, in our own words.

Its figures are drawn by a seed and then counted as the program counts them, so that
tables, intervals and items agree with each other.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from finetune.data.manifest import (
    LicenceCount,
    Lists,
    Manifest,
    SourceFacts,
    SplitFacts,
    StepCount,
    Timing,
)
from finetune.data.recipe import DataPart, SourcePart
from finetune.evaluate.result import (
    AdapterFacts,
    AnsweredItem,
    ComparedModels,
    Comparison,
    DataFacts,
    DifferenceInterval,
    Evaluation,
    EvaluationSettings,
    Exam,
    ExamFigures,
    Example,
    ItemLoss,
    KindLoss,
    Loss,
    ModelFacts,
    PairedExamItem,
    write_evaluation,
)
from finetune.recipe import TrainRecipe
from finetune.train.result import (
    Base,
    Best,
    Cost,
    Method,
    RowCounts,
    TrainingResult,
    write_training,
)
from medassist.core.files import sha256_of_file
from medassist.exams import statistics

HOSTILE = (
    "</pre></style><script>alert(1)</script><img src=https://example.org/x onerror=x>"
    " & \"quoted\" 'single' \x07\x1b[31mred\x1b[0m \ufffe\u202eback\u202c $1 **bold**"
)
RECORDS = 120
QUESTIONS = 400


def write_run(folder: Path) -> Path:
    """Write a whole run, but for its card, into `folder`."""
    (folder / "data").mkdir(parents=True)
    (folder / "adapter").mkdir()
    weights = folder / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(b"weights of an adapter" * 999)
    write_text(
        folder / "adapter" / "adapter_config.json",
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "our/tiny-base"}),
    )
    recipe(folder).write(folder / "recipe.yaml")
    write_text(folder / "data" / "manifest.json", manifest().model_dump_json(indent=2))
    for split in manifest().splits:
        write_text(folder / "data" / split.file, "a record that nobody must see\n")
    write_text(folder / "metrics.jsonl", metrics())
    write_training(folder, training(folder))
    write_evaluation(evaluation(folder), folder)
    return folder


def write_text(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")


def data_part() -> DataPart:
    return DataPart(
        sources=(
            SourcePart(name="medquad", path="/home/somebody/sets/medquad"),
            SourcePart(name="pmc-oa", path="articles"),
        ),
        seed=3,
    )


def recipe(folder: Path) -> TrainRecipe:
    return TrainRecipe(
        name="example-lora",
        about="Plain answers to patients' questions, from public question sets.",
        seed=42,
        base="our/tiny-base",
        data=data_part(),
    )


def manifest() -> Manifest:
    return Manifest(
        when="2026-11-20T09:30:00+00:00",
        settings=data_part(),
        settings_sha256="5e" * 32,
        inputs_sha256="6f" * 32,
        sources=(
            SourceFacts(
                name="medquad",
                title="MedQuAD",
                path="/home/somebody/sets/medquad",
                licence="CC BY 4.0",
                terms="",
                files=1,
                bytes=9_200_000,
                sha256="a1" * 32,
                documents=900,
                read=2400,
                broken=3,
                kept=1000,
                licences={"CC BY 4.0": 2400},
            ),
            SourceFacts(
                name="pmc-oa",
                title="PMC Open Access",
                path="articles",
                licence="per article",
                terms="Each article has a licence of its own; credit its authors.",
                files=60,
                bytes=7_400_000,
                sha256="b2" * 32,
                documents=60,
                read=400,
                broken=0,
                kept=200,
                licences={"CC BY 4.0": 300, "CC BY-NC 4.0": 90, "unknown": 10},
            ),
        ),
        steps=(
            StepCount(name="read", into=2803, out=2800, dropped={"broken": 3}),
            StepCount(
                name="licence",
                into=2800,
                out=2700,
                dropped={"CC BY-NC is not allowed": 90, "no licence found": 10},
                list="dropped/licence.jsonl",
            ),
            StepCount(
                name="clean",
                into=2700,
                out=2700,
                dropped={},
                changed={"citations": 250},
            ),
            StepCount(
                name="duplicates",
                into=2700,
                out=1200,
                dropped={"exact duplicate": 1100, "near duplicate": 400},
            ),
            StepCount(
                name="identifiers",
                into=1200,
                out=1200,
                dropped={},
                found={"a telephone number": 4},
            ),
        ),
        licences=(
            LicenceCount(
                licence="CC BY 4.0",
                evidence="the set's own page",
                used=True,
                why="allowed: CC BY",
                records=2700,
            ),
            LicenceCount(
                licence="CC BY-NC 4.0",
                evidence="license/@xlink:href = by-nc/4.0",
                used=False,
                why="not allowed",
                records=90,
            ),
            LicenceCount(
                licence="unknown",
                evidence="no <permissions>",
                used=False,
                why="not allowed",
                records=10,
            ),
        ),
        splits=tuple(
            SplitFacts(
                name=name,
                file=f"{name}.jsonl",
                records=count,
                groups=count // 2,
                bytes=count * 800,
                sha256=digit * 64,
                texts=count // 6,
                dialogues=count - count // 6,
                sources={"medquad": count - count // 6, "pmc-oa": count // 6},
            )
            for name, count, digit in (
                ("train", 960, "1"),
                ("validation", 120, "2"),
                ("test", 120, "3"),
            )
        ),
        warnings=("4 records may hold a telephone number; see the list.",),
        lists=Lists(
            inputs="inputs.jsonl",
            licences="licences.jsonl",
            dropped={"licence": "dropped/licence.jsonl"},
            identifiers="identifiers.jsonl",
        ),
        timing=Timing(
            seconds=31.0, records_per_second=90.3, tasks=2, workers=2, executor="local"
        ),
        versions={"python": "3.11.15", "datatrove": "0.10.1"},
    )


def metrics() -> str:
    rows: list[dict[str, float]] = [
        {"step": 0, "epoch": 0, "tokens": 0, "seconds": 1, "validation_loss": 3.37}
    ]
    noise = random.Random(1)
    for step in range(1, 301):
        tokens = 4000 * step
        rows.append(
            {
                "step": step,
                "epoch": round(step / 100, 4),
                "tokens": tokens,
                "seconds": 2.0 * step,
                "loss": 2.6 + math.exp(-step / 60) + noise.gauss(0, 0.05),
                "rate": 2e-4,
                "tokens_per_second": 2000.0,
                "memory": 900_000_000,
            }
        )
        if step % 50 == 0:
            loss = 2.8 + 0.55 * math.exp(-step / 70) + max(0, step - 200) * 0.0012
            rows.append(
                {
                    "step": step,
                    "epoch": round(step / 100, 4),
                    "tokens": tokens,
                    "seconds": 2.0 * step,
                    "validation_loss": loss,
                }
            )
    return "".join(json.dumps(row) + "\n" for row in rows)


def training(folder: Path) -> TrainingResult:
    return TrainingResult(
        recipe="example-lora",
        recipe_sha256=sha256_of_file(folder / "recipe.yaml"),
        data_sha256={"train.jsonl": "1" * 64, "validation.jsonl": "2" * 64},
        base=Base(
            name="our/tiny-base",
            files={"model.safetensors": "ba" * 32, "config.json": "bc" * 32},
            architecture="LlamaForCausalLM",
            parameters=9_076_800,
            context=2048,
        ),
        method=Method(
            kind="lora",
            rank=16,
            alpha=32,
            dropout=0.05,
            targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj"),
            trainable=537_600,
            chat_format="the tokenizer's template",
        ),
        train=RowCounts(
            records=960,
            used=955,
            left_out={"longer than max_length": 5},
            rows=210,
            tokens=400_000,
            answer_tokens=310_000,
        ),
        steps=300,
        planned_steps=300,
        epochs=3.0,
        tokens=1_200_000,
        seconds=640.0,
        step_seconds=600.0,
        tokens_per_second=2000.0,
        peak_memory=900_000_000,
        hardware="2 CPU threads (x86_64)",
        precision="fp32",
        seed=42,
        cost=Cost(price_per_hour=1.515, spent=0.27, budget=25.0),
        first_validation_loss=3.37,
        training_loss=2.61,
        best=Best(step=200, checkpoint="checkpoints/200", validation_loss=2.83),
        stopped_why="finished",
        notes=("fp32 was chosen, since there is no GPU.",),
        versions={"torch": "2.13.0", "peft": "0.21.2"},
        adapter_sha256=sha256_of_file(folder / "adapter" / "adapter_model.safetensors"),
    )


def evaluation(folder: Path) -> Evaluation:
    luck = random.Random(7)
    items = tuple(item(luck, number) for number in range(RECORDS))
    exam = exam_of(luck)
    return Evaluation(
        models=ComparedModels(
            base=ModelFacts(
                name="tiny-base",
                sha256={"model.safetensors": "ba" * 32},
                parameters=9_076_800,
            ),
            tuned=AdapterFacts(
                name="adapter",
                sha256={
                    "adapter_model.safetensors": sha256_of_file(
                        folder / "adapter" / "adapter_model.safetensors"
                    )
                },
                kind="plain",
                rank=16,
                parameters=537_600,
            ),
        ),
        data=DataFacts(
            split="test",
            sha256="3" * 64,
            records=RECORDS,
            dialogues=RECORDS,
            texts=0,
            groups=RECORDS // 2,
            tokens=sum(found.tokens for found in items),
            bytes=sum(found.bytes for found in items),
        ),
        losses=(kind_loss(items),),
        comparisons=(
            loss_comparison(items, "nll"),
            loss_comparison(items, "bits_per_byte"),
            exam_comparison(exam),
        ),
        exams=(exam,),
        examples=(
            Example(
                id="sore-throat",
                system="Be brief.",
                prompt="My throat hurts since yesterday. What can I do?",
                base="Throats hurt. Throats hurt. Throats hurt.",
                tuned="Drink enough and rest. See a doctor if you cannot swallow.",
                base_ended=False,
                tuned_ended=True,
            ),
            Example(
                id="hostile",
                system="Be brief.",
                prompt=f"What is this? {HOSTILE}",
                base=HOSTILE,
                tuned=f"{HOSTILE} {'verylongwordwithoutablank' * 20}",
                base_ended=True,
                tuned_ended=True,
            ),
        ),
        answers=tuple(
            AnsweredItem(
                id=f"medquad-{number}",
                source="medquad",
                group=f"page-{number}",
                prompt=f"What is disease number {number}?",
                reference="A disease of the skin that itches and goes away by itself.",
                base="It is a disease that is a disease.",
                tuned="A disease of the skin. It itches.",
                base_ended=True,
                tuned_ended=True,
                base_rouge_l=0.21,
                tuned_rouge_l=0.44,
            )
            for number in range(12)
        ),
        items=items,
        settings=EvaluationSettings(
            seed=0,
            limit=None,
            generated=12,
            max_new_tokens=256,
            temperature=0.0,
            system_prompt="Be brief.",
            context=2048,
            dtype="float32",
            attention="sdpa",
            chat_template=True,
            bootstrap_draws=2000,
            confidence=0.95,
        ),
        seconds=93.0,
        hardware="2 CPU threads (x86_64)",
        versions={"torch": "2.13.0", "transformers": "5.23.0"},
    )


def item(luck: random.Random, number: int) -> ItemLoss:
    tokens = luck.randint(20, 80)
    base = tokens * luck.gauss(3.3, 0.3)
    return ItemLoss(
        id=f"medquad-{number}",
        source="medquad" if number % 6 else "pmc-oa",
        group=f"page-{number // 2}",
        kind="dialogue",
        tokens=tokens,
        bytes=tokens * 4,
        base_nll=base,
        tuned_nll=base - tokens * luck.gauss(0.25, 0.3),
        base_correct=tokens // 3,
        tuned_correct=tokens // 3 + 1,
    )


def kind_loss(items: tuple[ItemLoss, ...]) -> KindLoss:
    tokens = sum(found.tokens for found in items)
    size = sum(found.bytes for found in items)

    def loss(nll: float, correct: int) -> Loss:
        return Loss(
            nll=nll / tokens,
            bits_per_byte=nll / size / math.log(2),
            token_accuracy=correct / tokens,
        )

    return KindLoss(
        kind="dialogue",
        records=len(items),
        groups=len(items) // 2,
        tokens=tokens,
        bytes=size,
        base=loss(sum(i.base_nll for i in items), sum(i.base_correct for i in items)),
        tuned=loss(
            sum(i.tuned_nll for i in items), sum(i.tuned_correct for i in items)
        ),
    )


def loss_comparison(items: tuple[ItemLoss, ...], metric: str) -> Comparison:
    by = {
        "nll": [float(found.tokens) for found in items],
        "bits_per_byte": [found.bytes * math.log(2) for found in items],
    }[metric]
    found = statistics.paired_difference(
        [i.base_nll for i in items],
        [i.tuned_nll for i in items],
        weights=by,
        groups=[i.group for i in items],
        draws=2000,
    )
    return comparison(found, "answers", metric, higher_is_better=False)


def exam_of(luck: random.Random) -> Exam:
    """An exam in which the tuned model does worse, and clearly so."""
    items: list[PairedExamItem] = []
    for number in range(QUESTIONS):
        base = 0 if luck.random() < 0.55 else 1
        tuned = base if luck.random() < 0.7 else (0 if luck.random() < 0.2 else 1)
        items.append(
            PairedExamItem(
                id=f"q{number}",
                gold=0,
                base=base,
                tuned=tuned,
                base_norm=base,
                tuned_norm=tuned,
                base_scores=(-1.0, -2.0),
                tuned_scores=(-1.0, -2.0),
            )
        )

    def figures(chosen: list[int]) -> ExamFigures:
        right = [float(choice == 0) for choice in chosen]
        acc = sum(right) / len(right)
        error = statistics.standard_error(right)
        return ExamFigures(
            acc=acc, acc_stderr=error, acc_norm=acc, acc_norm_stderr=error
        )

    return Exam(
        task="pubmedqa",
        title="PubMedQA",
        n=QUESTIONS,
        files={"ori_pqal.json": "ef" * 32},
        base=figures([found.base for found in items]),
        tuned=figures([found.tuned for found in items]),
        items=tuple(items),
    )


def exam_comparison(exam: Exam) -> Comparison:
    base = [found.base == found.gold for found in exam.items]
    tuned = [found.tuned == found.gold for found in exam.items]
    found = statistics.paired_answers(base, tuned)
    flips = statistics.flips(base, tuned)
    p = statistics.mcnemar(flips)
    return comparison(found, exam.task, "acc", higher_is_better=True).model_copy(
        update={
            "flips": flips,
            "p": p,
            "holm_p": p,
        }
    )


def comparison(
    found: statistics.PairedDifference,
    subject: str,
    metric: str,
    *,
    higher_is_better: bool,
) -> Comparison:
    return Comparison(
        name=f"{subject}: {metric}",
        subject=subject,
        metric=metric,
        higher_is_better=higher_is_better,
        n=found.items,
        groups=found.groups,
        base=found.base,
        tuned=found.tuned,
        difference=found.difference,
        interval=DifferenceInterval(
            low=found.low,
            high=found.high,
            level=found.level,
            draws=found.draws,
            seed=found.seed,
            method=found.method,
        ),
        verdict=statistics.verdict(found, higher_is_better=higher_is_better),
    )


def write_verdicts(
    file: Path, pair: str = "example-lora", tuned: int = 31, base: int = 12
) -> Path:
    """An export with so many verdicts for each, ties and poor ones beside them."""
    lines = ["consultation,pair,side_a,side_b,verdict,reasons,when"]
    outcomes = ["tuned"] * tuned + ["base"] * base + ["tie"] * 6 + ["both poor"] * 4
    for number, outcome in enumerate(outcomes):
        a, b = ("base", "tuned") if number % 2 else ("tuned", "base")
        said = {a: "A", b: "B"}.get(outcome, outcome)
        why = {"tuned": "plainer; shorter", "base": "more complete"}.get(outcome, "")
        when = f"2026-11-{1 + number % 20:02}T10:00:00+00:00"
        lines.append(f"c{number // 3},{pair},{a},{b},{said},{why},{when}")
    write_text(file, "\n".join(lines) + "\n")
    return file

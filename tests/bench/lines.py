"""Lines of results with figures of our own choice, for what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from medassist.bench.results import (
    ROUND,
    Disturbance,
    ExamItem,
    Figure,
    FileFacts,
    Parameters,
    ResultLine,
    SettingsFacts,
    key_of,
)

MACHINE = {"id": "m1", "cpu": "Example CPU", "cores": 4, "memory": 8_000_000_000}
CHOICES = 4
SETTINGS = SettingsFacts(
    n_batch=128,
    n_ubatch=128,
    n_threads=4,
    type_k="f16",
    type_v="f16",
    flash_attn=0,
    n_ctx=640,
)


def model(name: str, size: int = 1000, sha: str = "") -> FileFacts:
    return FileFacts(
        name=f"{name}.gguf",
        sha256=sha or f"sha of {name}",
        bytes=size,
        quantization=name,
        params=8 * size // 4,
        bits=4.0,
        types={"Q4_K": 900, "F32": 100},
        type=f"llama 1B {name}",
        tensor_bytes=size - 10,
    )


def line(kind, of: FileFacts, test: Parameters, **more) -> ResultLine:
    whole = {k: v for k, v in test.items() if k != ROUND}
    return ResultLine(
        kind=kind,
        run="r1",
        key=key_of(kind=kind, of=of.sha256, test=test),
        measurement=key_of(kind=kind, of=of.sha256, test=whole),
        at=datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
        model=of,
        machine=more.pop("machine", MACHINE),
        test=test,
        **more,
    )


def speed(
    of: FileFacts,
    rates: Sequence[float],
    *,
    prompt: int = 0,
    written: int = 128,
    disturbed: bool = False,
    **more,
) -> list[ResultLine]:
    """A raw speed in so many tokens a second, a line a repetition."""
    return [
        line(
            "speed",
            of,
            {"n_prompt": prompt, "n_gen": written, "n_depth": 0, ROUND: number},
            settings=SETTINGS,
            samples={"ns": (1e9 * (prompt + written) / rate,)},
            disturbance=Disturbance(disturbed=disturbed),
            **more,
        )
        for number, rate in enumerate(rates)
    ]


def app(of: FileFacts, rates: Sequence[float], ttft: float = 0.5) -> list[ResultLine]:
    return [
        line(
            "app",
            of,
            {"panes": "base", "n_prompt": 512, "n_gen": 128, ROUND: number},
            settings=SETTINGS,
            samples={
                "ttft_s": (ttft + number / 100,),
                "tok_per_s": (rate,),
                "tokens_read": (520.0,),
                "tokens_written": (128.0,),
            },
        )
        for number, rate in enumerate(rates)
    ]


def exam(
    of: FileFacts,
    right: Sequence[bool],
    *,
    task: str = "medqa_4options",
    margin: float = 1.0,
    tokens: str = "t",
    block: int = 50,
    choices: int = CHOICES,
    golds: Sequence[int] | None = None,
    chosen: Sequence[int] | None = None,
) -> list[ResultLine]:
    """Answers to as many questions.

    Their right choices go round, and a wrong answer is the choice behind, but for
    `golds` and what was `chosen`.
    """
    golds = golds or [n % choices for n in range(len(right))]
    chosen = chosen or [
        gold if good else (gold + 1) % CHOICES
        for gold, good in zip(golds, right, strict=True)
    ]
    items = [
        ExamItem(
            id=f"q{n}",
            tokens=f"{tokens}{n}",
            gold=gold,
            choice=choice,
            choice_norm=choice,
            margin=margin,
        )
        for n, (gold, choice) in enumerate(zip(golds, chosen, strict=True))
    ]
    return [
        line(
            "exam",
            of,
            {"task": task, "shots": 0, "questions": len(items), ROUND: first // block},
            items=tuple(items[first : first + block]),
            figures={"acc": Figure(value=0.5)},
        )
        for first in range(0, len(items), block)
    ]

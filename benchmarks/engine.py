"""The engine beside a bare loop: decode, second pane's first token, memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.figures import Comparison
from benchmarks.random_llama import RandomLlama, kv_bytes
from medassist.core.errors import LoadStopped
from medassist.core.values import EngineOptions, Message, PairFiles, PaneName, Sampling
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Loading, Question, Reading, Written

DEPTH = 512
NEW = 96
CONTEXT = 2048
STOP_WITHIN_S = 0.3
MIB = 1024 * 1024
# Greedy decoding of random weights would loop; that costs the same.
SAMPLING = Sampling(temperature=0, repeat_penalty=1, max_tokens=NEW)


@dataclass
class Figures:
    """What each run gave, in tok/s, seconds and bytes."""

    bare: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    both: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    bare_beside: list[float] = field(default_factory=list)
    one_beside: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    second_token: list[float] = field(default_factory=list)
    second_unshared: list[float] = field(default_factory=list)
    stop_load: list[float] = field(default_factory=list)
    stop_read: list[float] = field(default_factory=list)
    stop_write: list[float] = field(default_factory=list)
    pair_bytes: list[float] = field(default_factory=list)
    parts_bytes: list[float] = field(default_factory=list)


def bare_loop(model: Path, threads: int, chunk: int = 512) -> dict[str, float]:
    """One run of the reference."""
    arguments = map(str, (model, DEPTH, NEW, threads, CONTEXT, chunk))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_loop", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    return {"tok_per_s": result["tok_per_s"], **result["buffers_mib"]}


def prompt(run: int) -> Question:
    """A question of `DEPTH` tokens: this vocabulary has a token for each byte."""
    text = f"{run:04d} " + "fever and a stiff neck, " * DEPTH
    around = len(["bos", "user", "end", "assistant"])
    content = text[: DEPTH - around]
    message = Message(role="user", content=content)
    return Question(messages=(message,), sampling=SAMPLING)


async def ask(engine: Engine, run: int) -> dict[PaneName, Answered]:
    panes = dict.fromkeys(engine.files.panes, prompt(run))
    events = [e async for e in engine.ask(panes)]
    return {e.pane: e for e in events if isinstance(e, Answered)}


@contextlib.contextmanager
def busy_program() -> Generator[None]:
    """Another program that keeps one core busy, as a browser may."""
    program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        program.kill()
        program.wait()


async def stopped_after(
    engine: Engine, run: int, while_: type[Reading | Written]
) -> float:
    """Seconds from the wish to stop until both panes have ended."""
    asked_at = 0.0
    panes = dict.fromkeys(engine.files.panes, prompt(run + 1000))
    async for event in engine.ask(panes):
        if isinstance(event, while_) and not asked_at:
            # Somewhere within the chunk or the token that is computed next.
            await asyncio.sleep(0.05)
            asked_at = time.perf_counter()
            engine.stop()
    return time.perf_counter() - asked_at


async def load_stopped_after(files: PairFiles, options: EngineOptions) -> float:
    """Seconds from the wish to stop a loading until it has ended."""
    engine = Engine(files, options)
    asked_at = 0.0

    def stop(_: Loading) -> None:
        nonlocal asked_at
        asked_at = asked_at or time.perf_counter()
        engine.stop()

    with contextlib.suppress(LoadStopped):
        await engine.start(stop)
    seconds = time.perf_counter() - asked_at
    await engine.close()
    return seconds


def pss(engine: Engine) -> float:
    """Proportional bytes of the engine's child."""
    for line in Path(f"/proc/{engine.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1]) * 1024
    raise RuntimeError("the kernel gives no Pss")


def together(answers: dict[PaneName, Answered]) -> float:
    """Tokens a second of both panes in all, from the first token to the last."""
    written = sum(a.figures.tokens_written - 1 for a in answers.values())
    seconds = max(
        (a.figures.tokens_written - 1) / a.figures.tok_per_s
        for a in answers.values()
        if a.figures.tok_per_s is not None
    )
    return written / seconds


async def measure(llama: RandomLlama, runs: int, threads: int) -> Figures:
    """All figures, the reference and ours in turn."""
    options = EngineOptions(context=CONTEXT, threads=threads)
    unshared = replace(options, share_prefill=False)
    activated = PairFiles(base=llama.base, adapter=llama.activated)
    plain = PairFiles(base=llama.base, adapter=llama.plain)
    figures = Figures()
    ours = bare_loop(llama.base, threads, chunk=128)
    for run in range(runs):
        figures.bare.append(bare_loop(llama.base, threads)["tok_per_s"])
        async with Engine(PairFiles(base=llama.base), options) as engine:
            speed = (await ask(engine, run))["base"].figures.tok_per_s
            figures.one.append(speed or 0)
            alone = pss(engine)
        async with Engine(activated, options) as engine:
            answers = await ask(engine, run)
            figures.both.append(together(answers))
            first, second = (answers[p].figures.ttft_s or 0 for p in ("base", "tuned"))
            figures.first_token.append(first)
            figures.second_token.append(second)
            figures.pair_bytes.append(pss(engine))
            figures.stop_read.append(await stopped_after(engine, run, Reading))
            figures.stop_write.append(await stopped_after(engine, run, Written))
        figures.stop_load.append(await load_stopped_after(activated, options))
        parts = kv_bytes(CONTEXT) + ours["compute"] * MIB
        parts += llama.activated.stat().st_size
        figures.parts_bytes.append(alone + parts)
        async with Engine(plain, options) as engine:
            figures.plain.append(together(await ask(engine, run)))
        async with Engine(activated, unshared) as engine:
            answers = await ask(engine, run)
            figures.second_unshared.append(answers["tuned"].figures.ttft_s or 0)
        with busy_program():
            beside = bare_loop(llama.base, threads)["tok_per_s"]
            figures.bare_beside.append(beside)
            async with Engine(PairFiles(base=llama.base), options) as engine:
                speed = (await ask(engine, run))["base"].figures.tok_per_s
                figures.one_beside.append(speed or 0)
        print(f"  run {run + 1} of {runs} done", flush=True)
    return figures


def compare(llama: RandomLlama, runs: int, threads: int) -> list[Comparison]:
    """The table's rows for the engine."""
    f = asyncio.run(measure(llama, runs, threads))
    extra = [b - a for a, b in zip(f.first_token, f.second_token, strict=True)]
    pair, parts = ([b / MIB for b in c] for c in (f.pair_bytes, f.parts_bytes))
    tok = "tok/s"
    return [
        Comparison(
            "one pane : bare loop, default attention",
            *(f.one, f.bare, tok, (">=", 1.15)),
        ),
        Comparison(
            "two panes, activated LoRA : one pane",
            *(f.both, f.one, tok, (">=", 0.9)),
        ),
        Comparison(
            "two panes, plain LoRA (reads twice) : one pane", f.plain, f.one, tok
        ),
        Comparison(
            "one pane : bare loop, a busy program beside both",
            *(f.one_beside, f.bare_beside, tok),
        ),
        Comparison(
            "2nd pane's wait after the 1st : 1st pane's TTFT",
            *(extra, f.first_token, "s", ("<=", 0.05)),
        ),
        Comparison(
            "2nd pane's TTFT, prompt shared : read twice",
            *(f.second_token, f.second_unshared, "s"),
        ),
        *(
            Comparison(
                f"stop while {what} : {STOP_WITHIN_S} s",
                *(seconds, [STOP_WITHIN_S] * runs, "s", ("<=", 1.0)),
            )
            for what, seconds in (
                ("loading", f.stop_load),
                ("reading", f.stop_read),
                ("writing", f.stop_write),
            )
        ),
        Comparison(
            "pair : base + KV + compute + adapter (PSS)",
            *(pair, parts, "MiB", ("<=", 1.1)),
        ),
    ]

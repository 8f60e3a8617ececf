"""`medassist bench MODEL...`: its options; `measurement.py` does the work."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from medassist.commands.bench.number_lists import numbers
from medassist.core.values import KvType

if TYPE_CHECKING:
    from medassist.bench.work import Test

EPILOG = """
Exit codes: 0 measured; 1 a model, a text or an exam failed; 2 wrong usage; 4 slower or
worse shown, and 5 not decided (with --against alone); 130 stopped by Ctrl-C (what was
measured is kept; --resume goes on). `medassist bench compare OLD NEW` holds two results
against each other, `medassist bench tune MODEL` finds the best number of threads.
"""


class OutputForm(StrEnum):
    """Output formats of the result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"
    SQL = "sql"
    HTML = "html"
    LM_EVAL = "lm-eval"


_KV: dict[str, KvType] = {"f16": "f16", "q8_0": "q8_0"}
Meaning = TypeVar("Meaning")


def measure(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="GGUF files, or names of `medassist models list`; without one, the "
            "default pair.",
        ),
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="An adapter: one more row for each model."),
    ] = None,
    ollama: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A model of a running Ollama as one more row; of two, the second one "
            "is the right pane.",
        ),
    ] = None,
    ollama_host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Where it listens; default: OLLAMA_HOST, or here."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What quality and exams are compared with: an F16."
        ),
    ] = None,
    tests: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Of load, speed, app, memory, sustained, quality, exams; by default "
            "the first four, and what the other options ask for.",
        ),
    ] = None,
    prompt: Annotated[
        str, typer.Option("-p", "--n-prompt", metavar="N", help="Tokens to read.")
    ] = "512",
    gen: Annotated[
        str, typer.Option("-n", "--n-gen", metavar="N", help="Tokens to write.")
    ] = "128",
    depth: Annotated[
        str, typer.Option("-d", "--n-depth", metavar="N", help="Tokens before them.")
    ] = "0",
    threads: Annotated[
        str | None,
        typer.Option(
            "-t", "--threads", metavar="N", help="Default: the physical cores."
        ),
    ] = None,
    flash: Annotated[
        str, typer.Option("--fa", metavar="LIST", help="Flash attention: on, off.")
    ] = "off",
    kv: Annotated[
        str, typer.Option("--kv", metavar="LIST", help="The KV cache: f16, q8_0.")
    ] = "f16",
    gpu_layers: Annotated[
        int, typer.Option(min=0, help="Layers on the GPU; none by default.")
    ] = 0,
    repetitions: Annotated[
        int, typer.Option("-r", "--repetitions", min=1, max=1000, help="Of each speed.")
    ] = 5,
    ttft: Annotated[
        int,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help="Questions through the app; 60 bound the 95th percentile.",
        ),
    ] = 5,
    sustained: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Write so long: 10m, 90s."),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A text for perplexity and divergence."),
    ] = None,
    chunks: Annotated[
        int, typer.Option(min=2, help="Of 512 tokens, read of the text at most.")
    ] = 40,
    exams: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Your files of MedQA, MedMCQA, PubMedQA, MMLU, ..."
        ),
    ] = None,
    shots: Annotated[
        int, typer.Option(min=0, max=5, help="Solved questions before each (MMLU).")
    ] = 0,
    exam_chat: Annotated[
        bool | None,
        typer.Option(
            "--exam-chat/--no-exam-chat",
            help="Put exam questions by the chat template; by default only where an "
            "activated adapter is a row.",
        ),
    ] = None,
    questions: Annotated[
        int | None, typer.Option(min=1, help="Of each exam, at most.")
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            min=0.01, max=50.0, help="Points that may be lost; declared before the run."
        ),
    ] = 1.0,
    target_speed: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="TOK/S", help="Name the smallest file that is so fast."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="OLD.jsonl", help="Hold the result against an older one."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0.0, max=3600.0, help="Seconds to wait for a quiet computer; 0: none."
        ),
    ] = 30.0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The result's file; by default a new one."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with --out, or with the last result."),
    ] = False,
    form: Annotated[
        OutputForm, typer.Option("-o", "--output", help="How it is printed.")
    ] = OutputForm.TABLE,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write one page with charts, without any script."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Tell in lines, without the screen.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, however long it takes.")
    ] = False,
) -> None:
    """Measure models: speed, memory, loading, quality, exams, and what to choose.

    Raw speed is measured as llama-bench does it, and beside it the speed through the
    app. Several files are measured in turn, and question by question. Nothing is sent
    anywhere; the result is a file of lines, appended as each measurement is over.
    """
    from medassist.bench.work import Wishes
    from medassist.commands.bench.measurement import measure_and_print
    from medassist.commands.bench.request import BenchRequest
    from medassist.core.processor import physical_cores

    cores = (physical_cores(),)
    seconds = _seconds(sustained) if sustained else 0.0
    wishes = Wishes(
        tests=_tests(tests, seconds > 0, text is not None, exams is not None),
        prompts=numbers(prompt, "-p"),
        written=numbers(gen, "-n"),
        depths=numbers(depth, "-d"),
        threads=numbers(threads, "-t", least=1) if threads else cores,
        kv=_words(kv, "--kv", _KV),
        flash=_words(flash, "--fa", {"on": True, "off": False}),
        gpu_layers=gpu_layers,
        repetitions=repetitions,
        ttft=ttft,
        sustained_s=seconds,
        text=text,
        chunks=chunks,
        exams=exams,
        shots=shots,
        exam_chat=exam_chat,
        questions=questions,
        margin=margin / 100,
    )
    if not any((*wishes.prompts, *wishes.written)):
        raise typer.BadParameter("-p 0 with -n 0 leaves nothing to measure")
    request = BenchRequest(
        wishes=wishes,
        models=tuple(models or ()),
        adapters=tuple(adapter or ()),
        ollama=tuple(dict.fromkeys(ollama or ())),
        ollama_host=ollama_host,
        reference=reference,
        target_speed=target_speed,
        against=against,
        wait_s=wait,
        out=out,
        resume=resume,
        form=form.value,
        html=html,
        plain=plain,
        yes=yes,
    )
    raise typer.Exit(int(measure_and_print(request)))


def _words(
    said: str, option: str, meanings: Mapping[str, Meaning]
) -> tuple[Meaning, ...]:
    """Meanings of the words of a list, each once."""
    found: dict[str, Meaning] = {}
    for word in (part.strip() for part in said.split(",")):
        if word not in meanings:
            raise typer.BadParameter(
                f"{option} {word}: there are {', '.join(meanings)}"
            )
        found[word] = meanings[word]
    return tuple(found.values())


def _tests(
    said: str | None, sustained: bool, text: bool, exams: bool
) -> frozenset[Test]:
    from medassist.bench.work import TESTS

    needs: dict[Test, tuple[bool, str]] = {
        "sustained": (sustained, "--sustained 10m"),
        "quality": (text, "--text FILE"),
        "exams": (exams, "--exams DIR"),
    }
    if said is None:
        plain: tuple[Test, ...] = ("load", "speed", "app", "memory")
        return frozenset((*plain, *(name for name in needs if needs[name][0])))
    found: frozenset[Test] = frozenset(
        _words(said, "--tests", dict(zip(TESTS, TESTS, strict=True)))
    )
    for name, (given, option) in needs.items():
        if name in found and not given:
            raise typer.BadParameter(f"--tests {name} needs {option}")
    return found


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    if text.isascii() and text.isdigit():
        number, unit = text, "s"
    try:
        found = float(number) * units[unit]
    except (KeyError, ValueError):
        found = 0.0
    if not 1 <= found <= 86_400:
        raise typer.BadParameter(
            f"--sustained {text}: a time from 1s to 24h is wanted, such as 10m"
        )
    return found

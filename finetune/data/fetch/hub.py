"""Data sets of the Hugging Face Hub: listed by its library, downloaded here.

Its own downloads are left aside, so that one code resumes, checks and shows progress,
and so that nothing is fetched by native code, which the offline guard does not see.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from urllib.parse import urlsplit

import httpx2 as httpx

from finetune.data.fetch.download import Checksum, Wanted
from finetune.data.fetch.network import FetchError, connected
from finetune.data.fetch.plan import Plan
from finetune.errors import FinetuneError

ENDPOINT = "https://huggingface.co"
ELSEWHERE = ("*.huggingface.co", "*.hf.co")
"""Where the Hub keeps large files."""
PASSED_OVER = (".gitattributes", ".gitignore")
# Files that run or unpickle something are of no use to any reader here.
UNSAFE = (".py", ".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")


def plan_hub(
    source: str,
    repository: str,
    *,
    patterns: Sequence[str] = (),
    revision: str = "main",
    limit: int | None = None,
) -> Plan:
    """The files of a data set's repository at one commit.

    Args:
        source: whose data set it is.
        repository: OWNER/NAME.
        patterns: of the files that are wanted, such as `*.parquet`; all by default.
        revision: a branch, tag or commit.
        limit: the most files.

    Raises:
        FetchError: there is no such repository, or nothing in it is wanted.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    if repository.count("/") != 1:
        raise FinetuneError(
            f"{repository!r} is no repository of the Hub; expected OWNER/NAME"
        )
    host = urlsplit(ENDPOINT).hostname or ""
    hosts = (host, *ELSEWHERE)
    token = os.environ.get("HF_TOKEN", "")
    with connected(hosts) as client:
        # The library's own client refuses to go online, and the guard would, too.
        set_client_factory(lambda: client)
        try:
            api = HfApi(endpoint=ENDPOINT, token=token or False)
            found = api.dataset_info(repository, revision=revision)
            commit = found.sha or revision
            entries = [
                entry
                for entry in api.list_repo_tree(
                    repository, recursive=True, revision=commit, repo_type="dataset"
                )
                if isinstance(entry, RepoFile)
            ]
        except HFValidationError as error:
            raise FinetuneError(f"{repository!r} is no repository: {error}") from error
        except (HfHubHTTPError, httpx.HTTPError) as error:
            raise FetchError(
                f"the Hub does not give the list of {repository} at {revision}: "
                f"{_short(error)}. Look at the name; a set behind a consent needs it "
                "on its page, and a token in HF_TOKEN"
            ) from error
        finally:
            set_client_factory(default_client_factory)
    wanted = [
        Wanted(
            url=hf_hub_url(
                repository,
                entry.path,
                repo_type="dataset",
                revision=commit,
                endpoint=ENDPOINT,
            ),
            file=entry.path,
            size=entry.size,
            checksum=Checksum("sha256", entry.lfs.sha256)
            if entry.lfs
            else Checksum("git-sha1", entry.blob_id),
            token=token,
        )
        for entry in entries
        if _is_wanted(entry.path, patterns)
    ][:limit]
    if not wanted:
        raise FetchError(
            f"{repository} has no file like {', '.join(patterns) or 'data'}; it has "
            f"{', '.join(entry.path for entry in entries[:20])}"
        )
    licence = _licence(found.card_data)
    notes = [f"its page says the licence: {licence or 'none'}"]
    skipped = [e.path for e in entries if e.path.lower().endswith(UNSAFE)]
    if skipped:
        notes.append(f"left out, since it could run code: {', '.join(skipped[:10])}")
    what = f"Hugging Face {repository} at {commit[:12]}"
    return Plan(source, what, hosts, tuple(wanted), tuple(notes))


def _is_wanted(path: str, patterns: Sequence[str]) -> bool:
    if path in PASSED_OVER or path.lower().endswith(UNSAFE):
        return False
    return not patterns or any(fnmatch(path, pattern) for pattern in patterns)


def _licence(card: object) -> str:
    found = getattr(card, "license", None)
    return ", ".join(found) if isinstance(found, list) else str(found or "")


def _short(error: Exception) -> str:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return f"it answers {status}" if status else str(error).splitlines()[0]

"""Downloads data sets of the Hugging Face Hub.

Its own downloads are left aside, so that one code resumes, checks and shows progress,
and so that nothing is fetched by native code, which the offline guard does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

import httpx2

from finetune.data.fetch.download_plan import DownloadPlan
from finetune.errors import FinetuneError
from medassist.core.download import Checksum, Wanted
from medassist.core.hub import (
    STORAGE,
    endpoint,
    hub_host,
    online,
    reason,
    status_of,
    token,
)
from medassist.core.way_out import WayOut

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
    way: WayOut,
) -> DownloadPlan:
    """The files of a data set's repository at one commit.

    Args:
        source: whose data set it is.
        repository: OWNER/NAME.
        patterns: of the files that are wanted, such as `*.parquet`; all by default.
        revision: a branch, tag or commit.
        limit: the most files.
        way: how the Hub is reached.

    Raises:
        NetworkError: the way to the Hub fails.
        FinetuneError: there is no such repository, or nothing in it is wanted.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.hf_api import RepoFile

    if repository.count("/") != 1:
        raise FinetuneError(
            f"{repository!r} is no repository of the Hub; expected OWNER/NAME"
        )
    address, hosts = endpoint(), (hub_host(), *STORAGE)
    secret = token()
    with online(hosts, way):
        try:
            api = HfApi(endpoint=address, token=secret or False)
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
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            status = status_of(error)
            why = f"it answers {status}" if status else reason(error)
            raise FinetuneError(
                f"the Hub does not give the list of {repository} at {revision}: "
                f"{why}. Look at the name; a set behind a consent needs it on its "
                "page, and a token in HF_TOKEN"
            ) from error
    wanted = [
        Wanted(
            url=hf_hub_url(
                repository,
                entry.path,
                repo_type="dataset",
                revision=commit,
                endpoint=address,
            ),
            file=entry.path,
            size=entry.size,
            checksum=Checksum("sha256", entry.lfs.sha256)
            if entry.lfs
            else Checksum("git-sha1", entry.blob_id),
            token=secret,
        )
        for entry in entries
        if _is_wanted(entry.path, patterns)
    ][:limit]
    if not wanted:
        raise FinetuneError(
            f"{repository} has no file like {', '.join(patterns) or 'data'}; it has "
            f"{', '.join(entry.path for entry in entries[:20])}"
        )
    licence = _licence(found.card_data)
    notes = [f"its page says the licence: {licence or 'none'}"]
    skipped = [e.path for e in entries if e.path.lower().endswith(UNSAFE)]
    if skipped:
        notes.append(f"left out, since it could run code: {', '.join(skipped[:10])}")
    what = f"Hugging Face {repository} at {commit[:12]}"
    return DownloadPlan(source, what, hosts, tuple(wanted), tuple(notes))


def _is_wanted(path: str, patterns: Sequence[str]) -> bool:
    if path in PASSED_OVER or path.lower().endswith(UNSAFE):
        return False
    return not patterns or any(fnmatch(path, pattern) for pattern in patterns)


def _licence(card: object) -> str:
    found = getattr(card, "license", None)
    return ", ".join(found) if isinstance(found, list) else str(found or "")

"""A run's adapter and model card to the Hugging Face Hub, when the user asks for it.

The offline guard is opened for the Hub's host alone and, for large files, for the host
of its storage, which the Hub names: one that is not known is refused until the user
names it too. Xet is off, since its native code goes around the guard. The token is
taken from the environment or from the Hub's own cache, and never shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from finetune.errors import FinetuneError
from finetune.report.wording import size
from medassist.core import guard
from medassist.core.progress import Watcher, unwatched

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

ENDPOINT = "https://huggingface.co"
ADAPTER = "adapter"
WEIGHTS = "adapter_model.safetensors"
ALONE = ("README.md", "card.json", "recipe.yaml", "training.json", "metrics.jsonl")
QUOTING = ("evaluation.json", "report.html", "slides.pptx")
"""These hold questions of the held-out data: they are sent when they are asked for."""
OF_ADAPTER = (".safetensors", ".json", ".jinja", ".txt", ".model")
# Where the Hub has large files sent to; a sub-domain of one of these.
STORAGE = ("huggingface.co", "hf.co", "amazonaws.com")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
# A folder of this computer between quotes or after a YAML key: it tells of its user.
_FOLDER = re.compile(r'(?:^|[\s"\':])((?:/|~/|[A-Za-z]:\\)[^\s"\']{2,})')
_LOOKED_INTO = (".json", ".yaml", ".md")


class File(BaseModel):
    """A file that is sent."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """On this computer."""
    name: str
    """In the repository."""
    bytes: int


class Plan(BaseModel):
    """What would be sent, and where to."""

    model_config = ConfigDict(frozen=True)

    endpoint: str
    repo: str
    revision: str
    private: bool
    files: tuple[File, ...]
    not_sent: tuple[str, ...]
    """What of the run stays here."""
    notes: tuple[str, ...]

    @property
    def host(self) -> str:
        """The Hub's host."""
        return urlsplit(self.endpoint).netloc


class Pushed(BaseModel):
    """What became of it."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Of the commit."""
    repo: str
    revision: str
    files: int
    bytes: int


def make_plan(
    run: Path,
    repo: str,
    *,
    revision: str = "main",
    private: bool = False,
    with_evaluation: bool = False,
) -> Plan:
    """What of the run folder `run` would be sent to `repo`.

    Raises:
        FinetuneError: the run has no adapter or no model card, or the repository's
            name or HF_ENDPOINT cannot be one.
    """
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise FinetuneError(
            f"{repo!r} is no repository of the Hub; it has to be USER/NAME"
        )
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    parts = urlsplit(endpoint)
    local = guard.is_local(parts.hostname)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise FinetuneError(
            f"HF_ENDPOINT is {endpoint!r}; it has to be an address as {ENDPOINT}"
        )
    if parts.scheme == "http" and not local:
        raise FinetuneError(
            f"HF_ENDPOINT is {endpoint}, without TLS: the token would travel in the "
            "clear. Use https"
        )
    weights = run / ADAPTER / WEIGHTS
    if not weights.is_file():
        raise FinetuneError(
            f"{weights} is not there, so there is nothing to push; train the run first"
        )
    if not (run / "README.md").is_file():
        raise FinetuneError(
            f"{run / 'README.md'} is not there: the Hub shows it as the model card. "
            f"`medassist finetune report {run}` writes it"
        )
    names = ALONE + (QUOTING if with_evaluation else ())
    files = [_file(run / name, name) for name in names if (run / name).is_file()]
    files += [
        _file(file, file.name)
        for file in sorted((run / ADAPTER).iterdir())
        if file.is_file() and file.suffix in OF_ADAPTER and not file.is_symlink()
    ]
    here = ["data/", "checkpoints/", "gguf/", *(() if with_evaluation else QUOTING)]
    return Plan(
        endpoint=endpoint,
        repo=repo,
        revision=revision,
        private=private,
        files=tuple(files),
        not_sent=tuple(name for name in here if (run / name).exists()),
        notes=tuple(_notes(files)),
    )


def told(plan: Plan) -> str:
    """The plan for a reader."""
    kind = " (private, if it is made now)" if plan.private else ""
    lines = [f"To {plan.host}: {plan.repo}, branch {plan.revision}{kind}"]
    width = max(len(file.name) for file in plan.files)
    lines += [f"  {file.name:<{width}}  {size(file.bytes):>10}" for file in plan.files]
    total = sum(file.bytes for file in plan.files)
    lines.append(f"  {len(plan.files)} files, {size(total)}")
    if plan.not_sent:
        lines.append(f"Not sent: {', '.join(plan.not_sent)}")
    lines += [f"Note: {note}" for note in plan.notes]
    return "\n".join(lines)


def push(
    plan: Plan, *, storage_host: str | None = None, watcher: Watcher = unwatched
) -> Pushed:
    """Send what `plan` names, in one commit: all of it is there, or nothing.

    Args:
        plan: what was shown to the user.
        storage_host: where large files may go besides the known hosts.
        watcher: is told how far it is.

    Raises:
        FinetuneError: there is no token, the Hub refused it or the repository, or the
            connection broke; nothing was committed then.
    """
    with _hub(plan) as api:
        from huggingface_hub import CommitOperationAdd
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            RepositoryNotFoundError,
        )

        steps = 4
        try:
            watcher(f"asking {plan.host}", 0, steps)
            api.create_repo(plan.repo, private=plan.private or None, exist_ok=True)
            if plan.revision != "main":
                api.create_branch(plan.repo, branch=plan.revision, exist_ok=True)
            additions = [
                CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.path)
                for file in plan.files
            ]
            watcher("where large files go", 1, steps)
            hosts = _storage_hosts(api, plan, additions, storage_host)
            with ExitStack() as doors:
                for host, port in sorted(hosts):
                    doors.enter_context(guard.opened(host, port))
                watcher("sending", 2, steps)
                commit = api.create_commit(
                    plan.repo,
                    additions,
                    commit_message="A run of medassist finetune",
                    revision=plan.revision,
                )
        except (GatedRepoError, RepositoryNotFoundError) as error:
            raise FinetuneError(_refused(plan, error)) from None
        except HfHubHTTPError as error:
            raise FinetuneError(_answered(plan, error)) from None
        except (OSError, ValueError, RuntimeError) as error:
            raise FinetuneError(
                f"{plan.host}: the upload broke off ({_reason(error)}). Nothing was "
                "committed; what was sent already is not sent again when you repeat it"
            ) from None
        except Exception as error:
            # httpx's errors are of no common kind of Python's own.
            if not type(error).__module__.startswith(("httpx", "httpcore")):
                raise
            raise FinetuneError(
                f"{plan.host} cannot be reached ({_reason(error)}). Nothing was "
                "committed; repeat it when the network is there"
            ) from None
    watcher("sent", steps, steps)
    return Pushed(
        url=str(commit.commit_url),
        repo=plan.repo,
        revision=plan.revision,
        files=len(plan.files),
        bytes=sum(file.bytes for file in plan.files),
    )


@contextmanager
def _hub(plan: Plan) -> Generator[HfApi]:
    """The Hub's client, online and without Xet for as long as it lasts."""
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.utils import disable_progress_bars

    parts = urlsplit(plan.endpoint)
    token = get_token()
    if not token:
        raise FinetuneError(
            "there is no token for the Hub: set HF_TOKEN, or log in with "
            "`hf auth login`. It needs the right to write"
        )
    # The library reads its environment once, when it is imported, and the guard tells
    # it there to stay offline: for this call it may not.
    before: dict[str, Any] = {
        "HF_HUB_OFFLINE": constants.HF_HUB_OFFLINE,
        "HF_HUB_DISABLE_XET": constants.HF_HUB_DISABLE_XET,
    }
    disable_progress_bars()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        constants.HF_HUB_OFFLINE = False
        constants.HF_HUB_DISABLE_XET = True
        with guard.opened(parts.hostname or "", port):
            yield HfApi(endpoint=plan.endpoint, token=token)
    except OSError as error:
        raise FinetuneError(
            f"{plan.host} cannot be reached ({_reason(error)}). Nothing was sent"
        ) from error
    finally:
        for name, value in before.items():
            setattr(constants, name, value)


def _storage_hosts(
    api: HfApi,
    plan: Plan,
    additions: list[CommitOperationAdd],
    allowed: str | None,
) -> set[tuple[str, int]]:
    """Where the Hub wants large files sent, as hosts and ports beside its own.

    It is asked before the upload, which asks again: so that no connection is opened
    to a host that nobody has looked at.
    """
    from huggingface_hub.lfs import post_lfs_batch_info

    large = [add for add in additions if add.path_in_repo.endswith(".safetensors")]
    actions, _, _ = post_lfs_batch_info(
        upload_infos=[add.upload_info for add in large],
        token=api.token if isinstance(api.token, str) else None,
        repo_type="model",
        repo_id=plan.repo,
        revision=plan.revision,
        endpoint=plan.endpoint,
    )
    own = urlsplit(plan.endpoint)
    hosts: set[tuple[str, int]] = set()
    for action in actions:
        for step in (action.get("actions") or {}).values():
            found = urlsplit(step["href"])
            host = found.hostname or ""
            if host == own.hostname and found.port == own.port:
                continue
            known = any(host == name or host.endswith(f".{name}") for name in STORAGE)
            if guard.is_local(own.hostname):
                known = guard.is_local(host)
            if host != allowed and not known:
                raise FinetuneError(
                    f"{plan.host} wants large files sent to {host}, which is not known "
                    "as its storage. Nothing was sent; if that is right, allow it with "
                    f"--storage-host {host}"
                )
            if found.scheme != "https" and not guard.is_local(host):
                raise FinetuneError(
                    f"{plan.host} wants large files sent to {host} without TLS. "
                    "Nothing was sent"
                )
            hosts.add((host, found.port or 443))
    return hosts


def _file(path: Path, name: str) -> File:
    return File(path=path, name=name, bytes=path.stat().st_size)


def _notes(files: list[File]) -> list[str]:
    """What the user has to know of these files before they are everybody's."""
    notes: list[str] = []
    for file in files:
        if file.path.suffix not in _LOOKED_INTO or file.bytes > 2**22:
            continue
        found = _FOLDER.search(file.path.read_text("utf-8", "replace"))
        if found:
            notes.append(
                f"{file.name} names a folder of this computer ({found[1][:60]}), which "
                "everybody will read"
            )
    return notes


def _refused(plan: Plan, error: Exception) -> str:
    return (
        f"{plan.host} knows no {plan.repo} that this token may write to "
        f"({_status(error)}). Is the name right, and has the token the right to write?"
    )


def _answered(plan: Plan, error: Exception) -> str:
    status = _status(error)
    if status in ("401", "403"):
        return (
            f"{plan.host} refused the token ({status}). Nothing was committed; make "
            "one "
            f"with the right to write to {plan.repo}, and set HF_TOKEN or log in with "
            "`hf auth login`"
        )
    return (
        f"{plan.host} answered {status} and took nothing ({_reason(error)}). What was "
        "sent already is not sent again when you repeat it"
    )


def _status(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(getattr(response, "status_code", "an error"))


def _reason(error: BaseException) -> str:
    """The error's first line, and the cause's, without a token that may stand in it."""
    said: list[str] = []
    found: BaseException | None = error
    while found is not None and len(said) < 2:
        first = str(found).strip().splitlines()
        if first and first[0] not in said:
            said.append(first[0][:200])
        found = found.__cause__
    return re.sub(r"hf_\w+", "hf_…", "; ".join(said)) or type(error).__name__

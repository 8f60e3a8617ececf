"""Pushes a run's adapter and model card to the Hugging Face Hub.

It goes to the Hub's host alone and, for large files, to the host of its storage, which
the Hub names: one that is not known is refused until the user names it too. The token
is taken from the environment, the keyring or the Hub's own cache, and never shown.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from finetune.errors import FinetuneError
from medassist.core import guard
from medassist.core.errors import NetworkError, UnnamedHost, told_as
from medassist.core.hub import STORAGE, endpoint, is_repo, online, reason, status_of
from medassist.core.hub import token as own_token
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    CARD,
    EVALUATION,
    METRICS,
    PAGE,
    README,
    RECIPE,
    SLIDES,
    TRAINING,
)
from medassist.core.way_out import DIRECT, WayOut
from medassist.core.words import size

ALONE = (README, CARD, RECIPE, TRAINING, METRICS)
QUOTING = (EVALUATION, PAGE, SLIDES)
"""These hold questions of the held-out data: they are sent when they are asked for."""
OF_ADAPTER = (".safetensors", ".json", ".jinja", ".txt", ".model")
SENT_TO = (*STORAGE, "*.amazonaws.com")
"""Host to which the Hub has large files sent."""
SILENCE_S = 600.0
"""So long it may take over a commit."""
# A folder of this computer between quotes or after a YAML key: it tells of its user.
_FOLDER = re.compile(r'(?:^|[\s"\':])((?:/|~/|[A-Za-z]:\\)[^\s"\']{2,})')
_LOOKED_INTO = (".json", ".yaml", ".md")


class File(BaseModel):
    """A file to send."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """On this computer."""
    name: str
    """Name in the repository."""
    bytes: int


class PushPlan(BaseModel):
    """Files to send, and their destination."""

    model_config = ConfigDict(frozen=True)

    endpoint: str
    repo: str
    revision: str
    private: bool
    files: tuple[File, ...]
    not_sent: tuple[str, ...]
    """Files of the run that stay here."""
    notes: tuple[str, ...]

    @property
    def host(self) -> str:
        """The Hub's host."""
        return urlsplit(self.endpoint).netloc


class Pushed(BaseModel):
    """Result of a push."""

    model_config = ConfigDict(frozen=True)

    url: str
    """URL of the commit."""
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
) -> PushPlan:
    """Plan to send the run folder `run` to `repo`.

    Raises:
        FinetuneError: the run has no adapter or no model card, or the repository's
            name or HF_ENDPOINT cannot be one.
    """
    if not is_repo(repo):
        raise FinetuneError(
            f"{repo!r} is no repository of the Hub; it has to be USER/NAME"
        )
    with told_as(FinetuneError):
        address = endpoint()
    weights = run / ADAPTER / ADAPTER_WEIGHTS
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
    return PushPlan(
        endpoint=address,
        repo=repo,
        revision=revision,
        private=private,
        files=tuple(files),
        not_sent=tuple(name for name in here if (run / name).exists()),
        notes=tuple(_notes(files)),
    )


def told(plan: PushPlan) -> str:
    """The plan in words."""
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
    plan: PushPlan,
    *,
    storage_host: str | None = None,
    way: WayOut = DIRECT,
    watcher: Watcher = unwatched,
) -> Pushed:
    """Send the files of `plan` in one commit.

    Args:
        plan: what was shown to the user.
        storage_host: where large files may go besides the known hosts.
        way: how the Hub is reached.
        watcher: is told how far it is.

    Raises:
        FinetuneError: there is no token, the Hub refused it or the repository, or the
            connection broke; nothing was committed then.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
    )

    token = own_token() or get_token()
    if not token:
        raise FinetuneError(
            "there is no token for the Hub: set HF_TOKEN, or log in with "
            "`hf auth login`. It needs the right to write"
        )
    own = urlsplit(plan.endpoint).hostname or ""
    known = () if guard.is_local(own) else SENT_TO
    hosts = [own, *known, *([storage_host] if storage_host else ())]
    try:
        with online(hosts, way, silence_s=SILENCE_S):
            url = _send(plan, token, watcher)
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise FinetuneError(_refused(plan, error)) from None
    except HfHubHTTPError as error:
        raise FinetuneError(_answered(plan, error)) from None
    except Exception as error:
        raise FinetuneError(_broken_off(plan, error)) from None
    return Pushed(
        url=url,
        repo=plan.repo,
        revision=plan.revision,
        files=len(plan.files),
        bytes=sum(file.bytes for file in plan.files),
    )


def _send(plan: PushPlan, token: str, watcher: Watcher) -> str:
    """The commit's address."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=plan.endpoint, token=token)
    steps = 3
    watcher(f"asking {plan.host}", 0, steps)
    api.create_repo(plan.repo, private=plan.private or None, exist_ok=True)
    if plan.revision != "main":
        api.create_branch(plan.repo, branch=plan.revision, exist_ok=True)
    watcher("sending", 1, steps)
    commit = api.create_commit(
        plan.repo,
        [
            CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.path)
            for file in plan.files
        ],
        commit_message="A run of medassist finetune",
        revision=plan.revision,
    )
    watcher("sent", steps, steps)
    return str(commit.commit_url)


def _file(path: Path, name: str) -> File:
    return File(path=path, name=name, bytes=path.stat().st_size)


def _notes(files: list[File]) -> list[str]:
    """Warnings about these files before everybody can have them."""
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


def _refused(plan: PushPlan, error: Exception) -> str:
    return (
        f"{plan.host} knows no {plan.repo} that this token may write to "
        f"({status_of(error)}). Is the name right, and has the token the right to "
        "write?"
    )


def _answered(plan: PushPlan, error: Exception) -> str:
    status = status_of(error)
    if status in (401, 403):
        return (
            f"{plan.host} refused the token ({status}). Nothing was committed; make "
            f"one with the right to write to {plan.repo}, and set HF_TOKEN or log in "
            "with `hf auth login`"
        )
    return (
        f"{plan.host} answered {status or 'an error'} and took nothing "
        f"({reason(error)}). What was sent already is not sent again when you repeat it"
    )


def _broken_off(plan: PushPlan, error: BaseException) -> str:
    """The sentence for what is no answer of the Hub.

    Raises:
        BaseException: `error` itself, where it is none of a connection's.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, NetworkError):
        found = found.__cause__ or found.__context__
    if isinstance(found, UnnamedHost):
        return (
            f"{plan.host} wants large files sent to {found.host}, which is not known "
            "as its storage. Nothing was committed; if that is right, allow it with "
            f"--storage-host {found.host}"
        )
    if found is not None:
        return f"{found}. Nothing was committed"
    # The errors of httpx2 are of no common kind of Python's own.
    ours = isinstance(error, OSError | ValueError | RuntimeError)
    if not ours and not type(error).__module__.startswith("httpx"):
        raise error
    return (
        f"{plan.host}: the upload broke off ({reason(error)}). Nothing was committed; "
        "what was sent already is not sent again when you repeat it"
    )

"""`medassist serve`: the pair as an API for programs, and who may use it."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.commands.options import (
    AdapterFile,
    BaseFile,
    Context,
    GpuLayers,
    Kv,
    ModeName,
    PairName,
    Threads,
    TunedFile,
    expect_one_way,
)
from medassist.core.terminal import room, say
from medassist.core.verbs import Verbs, verbs

if TYPE_CHECKING:
    from medassist.serve.options import ServeOptions
    from medassist.settings import Settings


class EngineKind(StrEnum):
    """Kind of engine behind --upstream."""

    VLLM = "vllm"
    LLAMA_SERVER = "llama-server"
    OPENAI = "openai"


class IdentifiersChoice(StrEnum):
    """Treatment of identifiers before a question leaves this computer."""

    ASK = "ask"
    REPLACE = "replace"
    KEEP = "keep"


UpstreamUrl = Annotated[
    str,
    typer.Option(
        "--upstream",
        metavar="URL",
        help="An engine that answers in place of a pair here: vLLM, llama-server, or "
        "another that speaks OpenAI's API.",
    ),
]
UpstreamKind = Annotated[
    EngineKind | None, typer.Option(help="What it is; left out, it is asked.")
]
UpstreamBase = Annotated[
    str, typer.Option(metavar="NAME", help="What it calls the base model.")
]
UpstreamTuned = Annotated[
    str, typer.Option(metavar="NAME", help="What it calls the tuned model.")
]
UpstreamKey = Annotated[
    Path | None,
    typer.Option("--upstream-key-file", metavar="FILE", help="Holds its key."),
]
UpstreamAtOnce = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        metavar="N",
        help="Questions that it is asked at one time, one of each user; left out: 16 "
        "for vLLM, 1 for others.",
    ),
]
UpstreamIdentifiers = Annotated[
    IdentifiersChoice,
    typer.Option(
        help="What may tell who somebody is, in a question that leaves this computer: "
        "sent back marked, replaced, or kept, unless the client says otherwise."
    ),
]
UsersFile = Annotated[
    Path | None,
    typer.Option(
        "--users", metavar="FILE", help="The file of the users; by default your own."
    ),
]
user = verbs("user", "Who may use the server: add, revoke, list.")
app = typer.Typer(
    name="serve",
    cls=Verbs,
    rich_markup_mode=None,
    add_completion=False,
    invoke_without_command=True,
)
app.add_typer(user)
audit_log = verbs("audit", "The audit log: verify.")
app.add_typer(audit_log)


@app.callback()
def serve(
    called: typer.Context,
    base: BaseFile = None,
    tuned: TunedFile = None,
    adapter: AdapterFile = None,
    pair: PairName = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 takes one that is free.")
    ] = 8765,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="An address of this computer that others reach; wants TLS and users.",
        ),
    ] = "",
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key, PEM.")
    ] = None,
    users: UsersFile = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Log who asked when and how it went; no content."
        ),
    ] = None,
    records: Annotated[
        bool,
        typer.Option(
            "--records",
            help="Let each user keep consultations, encrypted under a passphrase of "
            "their own; off unless they choose one.",
        ),
    ] = False,
    mode: Annotated[
        ModeName, typer.Option(help="Two panes at once, or one after the other.")
    ] = ModeName.TOGETHER,
    max_queue: Annotated[
        int, typer.Option(min=1, max=1000, help="Questions that may wait.")
    ] = 32,
    upstream: UpstreamUrl = "",
    upstream_kind: UpstreamKind = None,
    upstream_base: UpstreamBase = "",
    upstream_tuned: UpstreamTuned = "",
    upstream_key: UpstreamKey = None,
    upstream_at_once: UpstreamAtOnce = None,
    upstream_identifiers: UpstreamIdentifiers = IdentifiersChoice.ASK,
    ollama_api: Annotated[
        bool,
        typer.Option(
            "--ollama-api",
            help="Speak a read-only part of Ollama's API too.",
        ),
    ] = False,
    context: Context = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: Kv = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what is wrong, and open no port."),
    ] = False,
) -> None:
    """Answer programs and a page on this computer over HTTP, until Ctrl-C.

    It prints the address, with the token after # where no user was named. OpenAI's
    clients take it as base_url with /v1, and the token as api_key.
    """
    if called.invoked_subcommand:
        return
    expect_one_way(pair, base, tuned, adapter)
    if upstream and (pair or base or tuned or adapter):
        raise typer.BadParameter("give --upstream or a pair, not both")
    of_it = (
        upstream_kind,
        upstream_base,
        upstream_tuned,
        upstream_key,
        upstream_at_once,
    )
    if not upstream and any(of_it):
        raise typer.BadParameter("--upstream has to say which engine that is of")
    with room("serve"):
        from medassist.serve.limits import Limits
        from medassist.serve.options import ServeOptions
        from medassist.serve.upstream.options import UpstreamOptions

    from medassist.session.choice import ChoiceOptions
    from medassist.session.default_pair import opening
    from medassist.settings import load_settings

    said = ChoiceOptions(None, context, threads, gpu_layers, kv.value if kv else None)
    settings = load_settings().model_copy(update=said.changes())
    engine = UpstreamOptions(
        upstream,
        upstream_kind.value if upstream_kind else None,
        upstream_base,
        upstream_tuned,
        upstream_key,
        upstream_identifiers.value,
        upstream_at_once,
    )
    options = ServeOptions(
        choice=opening(base, tuned, adapter, pair),
        port=port,
        listen=listen,
        tls_cert=tls_cert,
        tls_key=tls_key,
        users=users,
        audit=audit,
        records=records,
        mode=mode.value,
        upstream=engine if upstream else None,
        ollama_api=ollama_api,
        limits=replace(Limits(), waiting=max_queue),
    )
    if check:
        _check(options)
    else:
        _serve(options, settings)


def _check(options: ServeOptions) -> None:
    with room("serve"):
        from medassist.serve.check import findings

    found = findings(options)
    for finding in found:
        say(f"{'ok' if finding.ok else 'WRONG'}: {finding.text}")
    if not all(finding.ok for finding in found):
        raise typer.Exit(1)


def _serve(options: ServeOptions, settings: Settings) -> None:
    from medassist.commands.ask_notice import say_intended_use
    from medassist.engine.confine import forbid_core_dumps

    with room("serve"):
        from medassist.serve.server import run

    forbid_core_dumps()
    say_intended_use(settings, sys.stderr)
    run(options, settings)


AFTERWARDS = "A server that runs reads it on SIGHUP, or when it is started again."


@user.command()
def add(
    name: Annotated[str, typer.Argument(help="Small letters, digits, '.', '_', '-'.")],
    users: UsersFile = None,
) -> None:
    """Name somebody who may use the server, and print the token, once."""
    from medassist.serve.users import add, default_file

    file = users or default_file()
    token = add(file, name)
    say(token)
    say(
        f"This is the token of {name}. It is shown this once and kept nowhere; {file} "
        f"has its sha256. {AFTERWARDS}",
        err=True,
    )


@user.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Who may use it no longer.")],
    users: UsersFile = None,
) -> None:
    """Take somebody's token away."""
    from medassist.serve.users import default_file, revoke

    revoke(users or default_file(), name)
    say(f"{name} is not let in any more. {AFTERWARDS}")


@user.command("list")
def list_users(users: UsersFile = None) -> None:
    """Say who may use the server."""
    from medassist.serve.users import default_file, load

    file = users or default_file()
    known = load(file).users
    for one in known:
        say(f"{one.name}  since {one.added:%Y-%m-%d %H:%M} UTC")
    if not known:
        say(f"Nobody is named in {file}.", err=True)


@app.command()
def certificate(
    names: Annotated[
        list[str], typer.Argument(help="Names and addresses that the server is for.")
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where the files are written."),
    ] = Path("certificate"),
) -> None:
    """Make a certificate for a server in a small network, and its authority.

    ca.pem is for the computers that are to trust the server; the authority's own key is
    kept nowhere, so nothing else can be signed with it.
    """
    with room("serve"):
        from medassist.serve.tls import make_certificate

    made = make_certificate(out, names)
    say(f"--tls-cert {made.certificate} --tls-key {made.key}")
    say(
        f"{made.ca} goes to the computers that are to trust this server. Compare its "
        f"sha256 there:\n{made.fingerprint}",
        err=True,
    )


@audit_log.command("verify")
def verify_log(
    file: Annotated[Path, typer.Argument(help="The file that --audit named.")],
) -> None:
    """Say whether an audit log is whole, or where its chain is broken."""
    from medassist.serve.audit import verify

    found = verify(file)
    span = f", from {found.first_at} to {found.last_at}" if found.lines else ""
    say(f"{file} is whole: {found.lines:,} lines{span}.")
    say(f"The code of its last line is {found.last}.")

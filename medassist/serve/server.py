"""One server from sockets to its end: uvicorn in our loop, admission, the models."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from medassist.core.terminal import say
from medassist.serve import tls
from medassist.serve import users as users_file
from medassist.serve.admission import OPEN, Admission, Watchers
from medassist.serve.app import make_app
from medassist.serve.audit_recorder import AuditRecorder
from medassist.serve.desk import Desk
from medassist.serve.errors import OLLAMA, ServeError
from medassist.serve.limits import MOST_HEADER_BYTES
from medassist.serve.log import silence_libraries, tell, watch_loop
from medassist.serve.metrics import Metrics
from medassist.serve.options import ServeOptions
from medassist.serve.page import static as page_files
from medassist.serve.protocol import with_deadline
from medassist.serve.queue import FairQueue
from medassist.serve.records.vaults import UserVaults, default_root, prepare
from medassist.serve.served_pair import LocalPair, ServedPair
from medassist.serve.sockets import ServerAddress, listening
from medassist.serve.users import Users
from medassist.session.checked_question import check_question
from medassist.session.pair import Pair

if TYPE_CHECKING:
    from medassist.session.pair_engine import MakeEngine
    from medassist.settings import Settings


@dataclass
class Running:
    """A server that takes requests.

    Attributes:
        place: where it is found.
        token: of the one user, where none was named; else empty.
        users: who may use it, at this moment.
        desk: answers.
        ended: set when it is to end.
        failure: why it is to end, where something is wrong.
        context: of TLS; `None`: it speaks plain HTTP, on loopback.
        vaults: the records of each user; `None`: none are kept.
    """

    place: ServerAddress
    token: str
    users: Users
    desk: Desk
    ended: asyncio.Event
    failure: ServeError | None = None
    context: ssl.SSLContext | None = None
    vaults: UserVaults | None = None

    @property
    def address(self) -> str:
        """The address with the token, which a browser does not send."""
        return self.place.address + (f"#{self.token}" if self.token else "")


def who(options: ServeOptions) -> tuple[Users, str]:
    """Users of the server, and the token of the one user where none was named.

    Raises:
        ServeError: the users' file cannot be used, or none is named for others.
    """
    file = options.users or users_file.default_file()
    known = users_file.load(file)
    if known.users:
        return known, ""
    if options.listen:
        raise ServeError(
            f"Nobody is named in {file}, and a server that others reach lets in nobody "
            "else. `medassist serve user add NAME` names one and prints the token."
        )
    return users_file.only_you()


def secured(options: ServeOptions) -> tuple[ssl.SSLContext | None, tuple[str, ...]]:
    """The TLS that is spoken, and the names of the server in its certificate.

    Raises:
        ServeError: others are to reach the server, and it has no certificate that can
            be used.
    """
    certificate, key = options.tls_cert, options.tls_key
    if certificate is None or key is None:
        if options.listen or certificate or key:
            raise ServeError(
                "Others reach a server by TLS alone: name its certificate with "
                "--tls-cert and its key with --tls-key. `medassist serve certificate` "
                "makes both for a small network."
            )
        return None, ()
    said = tls.read_certificate(certificate)
    if not said.names:
        raise ServeError(f"{certificate}: it is for no name and no address.")
    return tls.server_context(certificate, key), said.names


def run(options: ServeOptions, settings: Settings) -> None:
    """Serve until it is ended by Ctrl-C or a signal.

    Raises:
        ServeError: it cannot be run as asked for.
    """
    asyncio.run(_run(options, settings))


async def _run(options: ServeOptions, settings: Settings) -> None:
    async with serving(options, settings) as running:
        say(running.address)
        if options.ollama_api and running.token:
            say(f"OLLAMA_HOST={running.place.address}t/{running.token}")
        with _signals(running, options):
            await running.ended.wait()
        if running.failure is not None:
            raise running.failure


@asynccontextmanager
async def serving(
    options: ServeOptions, settings: Settings, make: MakeEngine | None = None
) -> AsyncGenerator[Running]:
    """A server for as long as it is needed; its models are loaded meanwhile.

    Args:
        options: what it is to do.
        settings: how the models are loaded and asked.
        make: makes the engine; by default the one in a process of its own.

    Raises:
        ServeError: it cannot be run as asked for.
    """
    silence_libraries()
    watch_loop()
    users, token = who(options)
    context, names = secured(options)
    source = _source(options, settings, make)
    recorder = AuditRecorder(options.audit, source)
    try:
        with listening(
            options.listen, options.port, tls=context is not None, names=names
        ) as place:
            queue = FairQueue(source, options.limits, recorder.done, tell)
            queue.unfit = recorder.problem
            desk = Desk(source, queue)
            running = Running(
                place, token, users, desk, asyncio.Event(), context=context
            )
            if options.records:
                running.vaults = _vaults(running, recorder)
            server = _server(running, options, recorder)
            loading = asyncio.create_task(_load(running))
            # The rules take half a second to be read, which no question waits for.
            warming = asyncio.create_task(check_question("the rules are read here"))
            watching = asyncio.create_task(_watch(running.vaults))
            queue.open()
            taking = asyncio.create_task(server.serve(sockets=[*place.sockets]))
            try:
                await server.begun.wait()
                recorder.started()
                yield running
            finally:
                queue.close()
                server.should_exit = True
                await taking
                await queue.ended()
                loading.cancel()
                watching.cancel()
                if running.vaults is not None:
                    await running.vaults.close()
                await source.close()
                await warming
    finally:
        await recorder.close()


async def _load(running: Running) -> None:
    try:
        await running.desk.source.start()
    except ServeError as error:
        running.failure = error
        running.ended.set()


def _vaults(running: Running, recorder: AuditRecorder) -> UserVaults:
    """The records of the users, of who may use the server at the moment."""
    prepare(root := default_root())

    def known(user: str) -> bool:
        return user in running.users.names

    return UserVaults(known, root, recorder.records)


async def _watch(vaults: UserVaults | None) -> None:
    if vaults is not None:
        await vaults.watch()


def _source(
    options: ServeOptions, settings: Settings, make: MakeEngine | None
) -> ServedPair:
    """Engine that was named, or a pair of our own."""
    if options.upstream is not None:
        from medassist.serve.upstream.upstream_pair import UpstreamPair

        return UpstreamPair(options.upstream, settings, options.mode, tell)
    return LocalPair(Pair(options.choice, make), settings, options.mode, tell)


def _server(
    running: Running, options: ServeOptions, recorder: AuditRecorder
) -> _OurServer:
    limits = options.limits
    metrics: Metrics = recorder.metrics
    admission = Admission(
        make_app(
            running.desk,
            metrics,
            ollama_api=options.ollama_api,
            vaults=running.vaults,
        ),
        hosts=running.place.hosts,
        scheme=running.place.scheme,
        users=lambda: running.users,
        limits=limits,
        watchers=Watchers(recorder.refused, metrics.answered, tell),
        # Addresses stand in the logs of what lies between two computers.
        in_address=OLLAMA if options.ollama_api and not options.listen else None,
        opened=OPEN.union(page_files.files()),
    )

    def our_tls(config: uvicorn.Config, usual: object) -> ssl.SSLContext:
        assert running.context is not None
        return running.context

    config = uvicorn.Config(
        admission,  # pyright: ignore[reportArgumentType]
        http=with_deadline(limits.headers_s),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=limits.leaving_s,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        ssl_context_factory=our_tls if running.context is not None else None,
    )
    return _OurServer(config)


class _OurServer(uvicorn.Server):
    """Leaves the signals to us, and says when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextmanager
def _signals(running: Running, options: ServeOptions) -> Generator[None]:
    """End the server on Ctrl-C and SIGTERM; on SIGHUP, read users and certificate."""
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def caught(number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            loop.call_soon_threadsafe(read_anew, running, options)
        else:
            loop.call_soon_threadsafe(running.ended.set)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, caught)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def read_anew(running: Running, options: ServeOptions) -> None:
    """Read users and certificate again; where that fails, those of before stay."""
    try:
        users, token = who(options)
        if running.context is not None and options.tls_cert and options.tls_key:
            tls.read_certificate(options.tls_cert)
            tls.load_into(running.context, options.tls_cert, options.tls_key)
    except ServeError as error:
        tell(f"{error} Nothing was changed.")
        return
    if token:  # nobody is named any more: nobody is let in
        users = Users()
    running.users = users
    tell(f"Users and certificate were read anew: {len(users.users)} users.")

"""One server from its sockets to its end: uvicorn in our loop, the gate, the models."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from medassist.core.terminal import say
from medassist.serve import users as users_file
from medassist.serve.app import make_app
from medassist.serve.desk import Desk
from medassist.serve.errors import ServeError
from medassist.serve.gate import Gate, Watchers
from medassist.serve.limits import MOST_HEADER_BYTES
from medassist.serve.log import silence_libraries, tell, watch_loop
from medassist.serve.options import ServeOptions
from medassist.serve.protocol import with_deadline
from medassist.serve.queue import FairQueue
from medassist.serve.sockets import Place, listening
from medassist.serve.source import LocalPair
from medassist.serve.users import Users
from medassist.session.checked_question import check_question
from medassist.session.pair import Pair

if TYPE_CHECKING:
    from medassist.session.pair import MakeEngine
    from medassist.settings import Settings


@dataclass
class Running:
    """A server that takes requests.

    Attributes:
        place: where it is found.
        token: of the one user, where none was named; else empty.
        users: who may use it, at this moment.
        desk: answers.
        ended: set when it has been ended.
    """

    place: Place
    token: str
    users: Users
    desk: Desk
    ended: asyncio.Event

    @property
    def address(self) -> str:
        """The address with the token, which a browser does not send."""
        return (
            f"{self.place.address}#{self.token}" if self.token else self.place.address
        )


def who(options: ServeOptions) -> tuple[Users, str]:
    """Who may use the server, and the token of the one user where none was named.

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


def run(options: ServeOptions, settings: Settings) -> None:
    """Serve until it is ended by Ctrl-C or a signal.

    Raises:
        ServeError: it cannot be run as asked for.
    """
    asyncio.run(_run(options, settings))


async def _run(options: ServeOptions, settings: Settings) -> None:
    async with serving(options, settings) as running:
        say(running.address)
        with _signals(running, options):
            await running.ended.wait()


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
    source = LocalPair(Pair(options.choice, make), settings, options.mode, tell)
    with listening(options.listen, options.port, tls=False) as place:
        queue = FairQueue(source, options.limits, lambda _: None, tell)
        running = Running(place, token, users, Desk(source, queue), asyncio.Event())
        server = _server(running, options)
        loading = asyncio.create_task(source.start())
        # The rules take half a second to be read, which no question shall wait for.
        warming = asyncio.create_task(check_question("the rules are read here"))
        queue.open()
        taking = asyncio.create_task(server.serve(sockets=[*place.sockets]))
        try:
            await server.begun.wait()
            yield running
        finally:
            await queue.close()
            server.should_exit = True
            await taking
            await queue.ended()
            loading.cancel()
            await source.close()
            await warming


def _server(running: Running, options: ServeOptions) -> _OurServer:
    limits = options.limits
    gate = Gate(
        make_app(running.desk),
        hosts=running.place.hosts,
        scheme=running.place.scheme,
        users=lambda: running.users,
        limits=limits,
        watchers=Watchers(lambda *_: None, lambda *_: None, tell),
    )
    config = uvicorn.Config(
        gate,  # pyright: ignore[reportArgumentType]
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
    """End the server on Ctrl-C and SIGTERM; on SIGHUP, read the users anew."""
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
    """Read the users again; where that fails, those of before stay."""
    try:
        users, token = who(options)
    except ServeError as error:
        tell(f"{error} Those who were let in before still are.")
        return
    if token:  # nobody is named any more: nobody is let in
        users = Users()
    running.users = users
    tell(f"The users were read anew: {len(users.users)}.")

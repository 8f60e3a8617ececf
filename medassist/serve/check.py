"""`medassist serve --check`: what is wrong, before a port is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from medassist.core.errors import MedassistError
from medassist.records.records_folder import KEY_FILE
from medassist.serve import users as users_file
from medassist.serve.audit import verify
from medassist.serve.errors import ServeError
from medassist.serve.options import ServeOptions
from medassist.serve.records.vaults import default_root, problem_of
from medassist.serve.server import secured, who
from medassist.serve.sockets import listening
from medassist.serve.tls import SOON_DAYS, read_certificate
from medassist.serve.upstream.options import UpstreamOptions
from medassist.session.choice import Choice
from medassist.settings import load_settings
from medassist.starter import default_pair


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at."""

    ok: bool
    text: str


def findings(options: ServeOptions) -> list[CheckResult]:
    """All that was looked at, in the order in which a server needs it."""
    return list(_all(options))


def _all(options: ServeOptions) -> Iterator[CheckResult]:
    upstream = options.upstream
    if upstream is None:
        yield _found(lambda: _models(options.choice))
    else:
        yield _found(lambda: _upstream(upstream))
    yield _found(lambda: _users(options))
    yield _found(lambda: _tls(options))
    if options.records:
        yield _found(_records)
    if options.audit is not None:
        audit = options.audit
        yield _found(lambda: _audit(audit))
    yield _found(lambda: _place(options))


def _found(look: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(True, look())
    except (MedassistError, OSError) as error:
        return CheckResult(False, str(error))


def _models(choice: Choice) -> str:
    from medassist.core.files import open_file

    if choice.problem:
        raise MedassistError(choice.problem)
    if choice.is_starter:
        files = [*default_pair().files.files("tuned")]
    else:
        named = (choice.base, choice.tuned, choice.adapter_base, choice.adapter)
        files = [file for file in named if file]
    for file in files:
        open_file(file).close()
    return f"the models of {choice.name} are there"


def _upstream(options: UpstreamOptions) -> str:
    import asyncio

    from medassist.serve.upstream.check import looked_at

    return asyncio.run(looked_at(options, load_settings()))


def _users(options: ServeOptions) -> str:
    users, token = who(options)
    if token:
        return "nobody is named: a token for the one run is printed at its start"
    file = options.users or users_file.default_file()
    return f"{len(users.users)} users are named in {file}"


def _tls(options: ServeOptions) -> str:
    context, names = secured(options)
    if context is None or options.tls_cert is None:
        return "plain HTTP, on this computer alone"
    until = read_certificate(options.tls_cert).until
    left = (until - datetime.now(UTC)).days
    if left < 0:
        raise ServeError(f"{options.tls_cert}: it ended on {until:%Y-%m-%d}.")
    # No failure while it holds: as a unit's first step that would hold the server back.
    soon = f"; make another, it ends in {left} days" if left < SOON_DAYS else ""
    return f"TLS for {', '.join(names)}, until {until:%Y-%m-%d}{soon}"


def _records() -> str:
    root = default_root()
    if problem := problem_of(root):
        raise ServeError(problem)
    users = [one for one in root.glob("*") if (one / KEY_FILE).exists()]
    have = sum("~" not in one.name for one in users)
    return f"records of users are kept in {root}: {have} have some"


def _audit(file: Path) -> str:
    if not file.exists():
        return f"{file} will be begun as the audit log"
    return f"{file} is whole: {verify(file).lines:,} lines"


def _place(options: ServeOptions) -> str:
    # Bound, to see that it can be, and given back before anybody is answered.
    tls = options.tls_cert is not None
    names = read_certificate(options.tls_cert).names if options.tls_cert else ()
    with listening(options.listen, options.port, tls=tls, names=names) as place:
        names = ", ".join(sorted(place.hosts))
        return f"{place.address} is free, and asked for as {names}"

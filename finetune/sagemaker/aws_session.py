"""AWS session: credentials, region, and one client a service.

Every request of boto3, those for a sign-in included, goes out through `_Gate`: it looks
whether the host is one of ours (`hosts.py`), opens the offline guard for it alone, and
sends. So no setting of a profile, no variable of the environment and no redirection
leads elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from finetune.sagemaker import hosts, places
from finetune.sagemaker.errors import NO_CREDENTIALS, NO_REGION, SageMakerError, told
from medassist.core import guard
from medassist.core.network import LOOKUPS, let_through, was_refused
from medassist.core.way_out import DIRECT, WayOut

if TYPE_CHECKING:
    import boto3.session
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.session import Session

CONNECT_S = 10
SILENCE_S = 70
"""An invocation of an endpoint may take 60 s."""
ATTEMPTS = 4
_METADATA_PROVIDERS = ("iam-role", "container-role")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class SessionRequest:
    """Account and region that commands name by their options."""

    region: str | None = None
    profile: str | None = None
    instance_role: bool = False
    """Ask the computer's own metadata address for credentials."""
    way: WayOut = field(default=DIRECT)


@dataclass(frozen=True)
class Aws:
    """An account in a region, while `opened` lasts."""

    region: str
    profile: str | None
    _session: boto3.session.Session = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """Boto3's client of a service of `hosts.SERVICES`, at its own endpoint."""
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

    def _make(self, service: str) -> Any:
        from botocore.config import Config

        if service not in hosts.SERVICES:
            raise ValueError(f"{service} is none of the services that are used")
        # The guard opens for host names that we know; S3's oldest one is not regional.
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=SILENCE_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            s3={"us_east_1_regional_endpoint": "regional"},
            user_agent_extra="medassist",
        )
        region = self.region
        if service == "pricing":
            region = hosts.price_region(region)
        with told(f"reach {service} in {region}"):
            return self._session.client(
                service,  # pyright: ignore[reportCallIssue, reportArgumentType]
                region_name=region,
                config=config,
            )

    @cached_property
    def _identity(self) -> dict[str, str]:
        with told("ask who signs in"):
            return dict(self.client("sts").get_caller_identity())

    @property
    def account(self) -> str:
        """Account number, 12 digits; STS is asked once."""
        return str(self._identity["Account"])

    @property
    def caller(self) -> str:
        """ARN of the identity behind the credentials."""
        return str(self._identity["Arn"])


@contextmanager
def opened(wish: SessionRequest, tell: Tell = lambda _: None) -> Generator[Aws]:
    """The account that `wish` means; nothing is asked of it yet but a sign-in.

    Args:
        wish: the options.
        tell: is told what is done on this computer on the way: the program that a
            profile has run to give credentials.

    Raises:
        SageMakerError: no region, no profile of that name, no credentials.
    """
    import boto3.session
    import botocore.session

    with ExitStack() as doors:
        with told("sign in"):
            session = botocore.session.Session(profile=wish.profile)
            scoped = session.get_scoped_config()
            region = _region(wish, session)
            gate = _Gate(wish.way, region, str(_sso_region(session)), doors)
            session.register("before-send", gate.send)
            _keep_off_metadata(session, wish, doors)
            _name_process(session, scoped, tell)
            if session.get_credentials() is None:
                raise SageMakerError(NO_CREDENTIALS)
        yield Aws(region, wish.profile, boto3.session.Session(botocore_session=session))


def _region(wish: SessionRequest, session: Session) -> str:
    region = (
        wish.region
        or session.get_config_variable("region")
        or os.environ.get("AWS_REGION")
    )
    if not region:
        raise SageMakerError(NO_REGION)
    hosts.check_region(str(region))
    places.account(str(region))  # or the sentence that names those there are
    return str(region)


def _chain(session: Session) -> list[dict[str, Any]]:
    """The profile, and those that it takes its credentials from."""
    profiles: dict[str, dict[str, Any]] = session.full_config.get("profiles", {})
    name = str(session.profile or "default")
    chain: list[dict[str, Any]] = []
    while name in profiles and len(chain) < 10:
        chain.append({"name": name, **profiles[name]})
        name = str(profiles[name].get("source_profile"))
    return chain


def _sso_region(session: Session) -> str:
    sessions: dict[str, dict[str, Any]] = session.full_config.get("sso_sessions", {})
    for profile in _chain(session):
        named = sessions.get(str(profile.get("sso_session")), {})
        region = profile.get("sso_region") or named.get("sso_region")
        if region:
            return hosts.check_region(str(region))
    return ""


def _keep_off_metadata(
    session: Session, wish: SessionRequest, doors: ExitStack
) -> None:
    resolver = session.get_component("credential_provider")
    if wish.instance_role:
        doors.enter_context(guard.opened(*hosts.METADATA))
        return
    # They would wait for an address that answers on EC2 alone, and the guard refuses.
    for provider in _METADATA_PROVIDERS:
        resolver.remove(provider)


def _name_process(session: Session, scoped: dict[str, Any], tell: Tell) -> None:
    del scoped  # read, so that a profile that is not there is told first
    for profile in _chain(session):
        program = profile.get("credential_process")
        if program:
            tell(f"the profile {profile['name']} gives credentials by: {program}")


class _Gate:
    """Sends boto3's requests, to the allowed hosts alone."""

    def __init__(
        self, way: WayOut, region: str, sign_in_region: str, doors: ExitStack
    ) -> None:
        from botocore.httpsession import URLLib3Session

        self._way = way
        self._region = region
        self._sign_in_region = sign_in_region
        self._doors = doors
        self._open: set[tuple[str, int]] = set()
        self._http = URLLib3Session(
            verify=_trusted(way, doors),  # pyright: ignore[reportArgumentType]
            proxies={"https": way.proxy, "http": way.proxy} if way.proxy else {},
            timeout=(CONNECT_S, SILENCE_S),
            max_pool_connections=10,
        )
        doors.callback(self._http.close)

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Send a request in place of botocore, which calls this before."""
        url = str(request.url)
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not hosts.is_named(url, self._region, self._sign_in_region):
            raise UnnamedAwsHost(
                f"a request would go to {host}, which is no endpoint of AWS in "
                f"{self._region} that is used here. Nothing was sent there; look at "
                "endpoint_url and at AWS_ENDPOINT_URL of your configuration, and for a "
                "bucket at its region"
            )
        if guard.is_local(host):
            return self._direct.send(request)
        place = (host, parts.port or 443)
        for left in reversed(range(LOOKUPS)):
            if place not in self._open:
                self._doors.enter_context(let_through([place], self._way))
                self._open.add(place)
            try:
                return self._http.send(request)
            except Exception as error:
                # The name stands for another address than when it was opened.
                if not left or not was_refused(error):
                    raise
                self._open.discard(place)
        raise AssertionError

    @cached_property
    def _direct(self) -> Any:
        from botocore.httpsession import URLLib3Session

        session = URLLib3Session(timeout=(CONNECT_S, SILENCE_S))
        self._doors.callback(session.close)
        return session


class UnnamedAwsHost(SageMakerError):
    """A request was about to go to a host that is not allowed."""


def _trusted(way: WayOut, doors: ExitStack) -> bool | str:
    """The certificates to trust: the usual ones, and those of `ca_file` beside them."""
    if not way.ca_file:
        return True
    from botocore.httpsession import get_cert_path

    folder = Path(doors.enter_context(tempfile.TemporaryDirectory()))
    own = Path(way.ca_file).expanduser()
    try:
        both = Path(str(get_cert_path(True))).read_bytes() + b"\n" + own.read_bytes()
    except OSError as error:
        raise SageMakerError(
            f"{error.filename}: the certificates that network.ca_file names cannot be "
            f"read ({error.strerror})"
        ) from error
    file = folder / "trusted.pem"
    file.write_bytes(both)
    return str(file)

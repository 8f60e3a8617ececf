"""Checks the offline guard, and environment variables that would send data."""

from __future__ import annotations

import os
import sys

from medassist.core.errors import NetworkError
from medassist.core.guard import OFFLINE_ENVIRONMENT, NetworkRefused
from medassist.core.quiet import taken_away
from medassist.core.settings_file import settings_file
from medassist.core.way_out import WayOut
from medassist.doctor.finding import Finding, brief, listed
from medassist.settings import Settings

PART = "offline"
ELSEWHERE = "medassist.invalid"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
RECORDING = {"ASCIINEMA_REC": "asciinema", "SCRIPT": "script"}
"""Variables that programs set which write down what a terminal shows."""


def offline(settings: Settings | None) -> list[Finding]:
    """Findings about the guard, exceptions to it, and the way downloads go."""
    return [
        _guard(),
        *_libraries(),
        *([] if settings is None else _way_out(settings.network)),
        *_telling(),
        *_recorded(),
    ]


def _guard() -> Finding:
    # The event of a look-up without the look-up: nothing is asked of anybody.
    try:
        sys.audit("socket.getaddrinfo", ELSEWHERE, 443, 0, 0, 0)
    except NetworkRefused:
        return Finding(
            PART, "ok", "The guard is on: a look-up of another computer was refused."
        )
    return Finding(
        PART,
        "wrong",
        "The offline guard is not on: a look-up of another computer was let through.",
        "Start the program as `medassist`; if it stays, this is a fault: report it",
    )


def _libraries() -> list[Finding]:
    other = [
        f"{name}={os.environ[name]}"
        for name, value in OFFLINE_ENVIRONMENT.items()
        if os.environ.get(name, value) != value
    ]
    if not other:
        return [Finding(PART, "ok", "Libraries are told to stay offline, too.")]
    return [
        Finding(
            PART,
            "note",
            f"Your environment tells libraries otherwise: {listed(other)}. The guard "
            "refuses them all the same.",
            f"unset {' '.join(part.partition('=')[0] for part in other)}",
        )
    ]


def _way_out(way: WayOut) -> list[Finding]:
    if way.ca_file:
        import ssl

        try:
            way.trust_in(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except NetworkError as error:
            return [Finding(PART, "wrong", f"{error}.", f"mend {_settings()}")]
    by = f"go{way.told}" if way.proxy else "go by no proxy"
    trusting = f"; the certificates of {way.ca_file} are trusted" if way.ca_file else ""
    told = Finding(PART, "ok", f"Downloads that you ask for {by}{trusting}.")
    named = [name for name in PROXIES if name in os.environ]
    if way.proxy or not named:
        return [told]
    return [
        told,
        Finding(
            PART,
            "note",
            f"{listed(named)} of your environment names a proxy. medassist goes by "
            "none that its settings or --proxy do not name.",
            f"name it as proxy in [network] of {_settings()}, if downloads need it",
        ),
    ]


def _settings() -> str:
    return brief(settings_file())


def _telling() -> list[Finding]:
    names = taken_away()
    if not names:
        return []
    return [
        Finding(
            PART,
            "note",
            f"{listed(names)} would have the screen's contents written or sent; "
            "medassist ignores this.",
            f"unset {' '.join(names)}",
        )
    ]


def _recorded() -> list[Finding]:
    programs = [name for variable, name in RECORDING.items() if variable in os.environ]
    if not programs:
        return []
    return [
        Finding(
            PART,
            "note",
            f"This terminal seems to be recorded by {listed(programs)}: what the "
            "screen shows is written down there.",
            "exit, and start medassist in a terminal that is not recorded",
        )
    ]

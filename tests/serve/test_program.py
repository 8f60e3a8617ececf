"""`medassist serve` as its operator runs it: the real program with a tiny real pair."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from medassist.serve import users
from tests.serve.serving import PATIENCE_S, said
from tests.tiny_models import TinyPair, write_model

CONTEXT = 32_768
"""Of a model that writes half of it, which takes longer than ending its process."""


@contextmanager
def program(
    home: Path, *words: str | Path, told: Path, before: Sequence[str] = ()
) -> Generator[tuple[subprocess.Popen[str], str]]:
    """The running program and the address that it printed.

    Args:
        home: of its settings.
        words: more arguments.
        told: where it writes its errors.
        before: a program that runs it, such as strace, with its arguments.
    """
    settings = home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"intended_use_told = {INTENDED_USE_VERSION}\n")
    command = [*before, sys.executable, "-m", "medassist", "serve", "--port", "0"]
    with (
        told.open("w") as err,
        subprocess.Popen(
            [*command, "--threads", "1", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env={**os.environ, "MEDASSIST_HOME": str(home)},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def client_of(address: str) -> openai.OpenAI:
    url, _, token = address.partition("#")
    return openai.OpenAI(base_url=f"{url}v1", api_key=token, max_retries=50)


def pair_of(tiny: TinyPair) -> Sequence[str | Path]:
    return ("--base", tiny.base, "--adapter", tiny.plain)


def test_the_address_that_is_printed_is_all_that_a_client_needs(
    tiny: TinyPair, home: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with program(home, *pair_of(tiny), told=told) as (process, address):
        with client_of(address) as client:
            for pane in ("base", "tuned"):
                answer = client.chat.completions.create(
                    model=pane, messages=said(), max_tokens=8, temperature=0, seed=1
                )
                served = answer.choices[0].message.content
                asked = subprocess.run(
                    [
                        *(sys.executable, "-m", "medassist", "ask", "--json"),
                        *("--threads", "1", "--only", pane, "--max-tokens", "8"),
                        *("--temperature", "0", "--seed", "1"),
                        *(*pair_of(tiny), said()[0]["content"]),
                    ],
                    capture_output=True,
                    check=True,
                )
                answers = json.loads(asked.stdout)["answers"]
                assert served == answers[pane]["text"]
        inner = psutil.Process(process.pid)
        addresses = {
            c.laddr.ip for c in inner.net_connections() if c.status == "LISTEN"
        }
        assert addresses <= {"127.0.0.1", "::1"}
        children = inner.children(recursive=True)
        assert children
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert not alive
    assert address.partition("#")[2] not in told.read_text()


def test_a_signal_reads_the_users_anew(
    tiny: TinyPair, home: Path, tmp_path: Path
) -> None:
    file, told = tmp_path / "users.json", tmp_path / "told"
    anna, bert = users.add(file, "anna"), users.add(file, "bert")
    words = (*pair_of(tiny), "--users", file)
    with program(home, *words, told=told) as (process, address):
        assert "#" not in address

        def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.get(
                f"{address}v1/models", headers=headers, timeout=PATIENCE_S
            ).status_code

        assert (status(anna), status(bert)) == (200, 200)
        users.revoke(file, "anna")
        process.send_signal(signal.SIGHUP)
        while status(anna) == 200:
            pass
        assert (status(anna), status(bert)) == (401, 200)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def test_a_process_of_the_models_that_is_killed_in_mid_stream_comes_back_once(
    tiny: TinyPair, home: Path, tmp_path: Path
) -> None:
    # It writes on and on: no token of this model ends a text.
    endless = write_model(
        tmp_path / "endless.gguf",
        tiny.weights,
        tiny.tokenizer,
        end=False,
        context=CONTEXT,
    )
    told = tmp_path / "told"
    words = ("--base", endless, "--context", str(CONTEXT))
    with (
        program(home, *words, told=told) as (process, address),
        client_of(address) as client,
    ):

        def answer() -> str | None:
            found = client.chat.completions.create(
                model="base", messages=said(), max_tokens=4
            )
            return found.choices[0].message.content

        assert answer()
        (child,) = [
            one
            for one in psutil.Process(process.pid).children(recursive=True)
            if "medassist.engine" in " ".join(one.cmdline())
        ]
        streamed = client.chat.completions.create(
            model="base", messages=said(), stream=True
        )
        text = ""
        with pytest.raises(openai.APIError) as raised:
            for chunk in streamed:
                text += chunk.choices[0].delta.content or ""
                if text and child.is_running():
                    child.kill()
                    child.wait(PATIENCE_S)
        assert text
        assert raised.value.code == "engine_died"
        assert answer()
        url, _, token = address.partition("#")
        headers = {"Authorization": f"Bearer {token}"}
        counted = httpx.get(f"{url}metrics", headers=headers, timeout=PATIENCE_S).text
    assert "medassist_engine_restarts_total 1.0" in counted
    assert told.read_text().count("It is started again.") == 1


def test_a_port_that_is_taken_is_told_and_nothing_is_loaded(
    tiny: TinyPair, home: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with program(home, *pair_of(tiny), told=told) as (_, address):
        port = address.partition("#")[0].rstrip("/").rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "medassist", "serve", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in second.stderr
    assert second.stdout == ""


def test_nothing_but_the_server_loads_what_speaks_http() -> None:
    script = (
        "import sys\n"
        "import medassist.session.session, medassist.tui.app, medassist.cli\n"
        "import medassist.commands.front_door, medassist.commands.ask_run\n"
        "import medassist.commands.serve\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {
        "fastapi",
        "starlette",
        "uvicorn",
        "opentelemetry",
        "openai",
        "prometheus_client",
    }

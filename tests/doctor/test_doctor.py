from __future__ import annotations

import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medassist.core.paths import only_looked_at
from medassist.core.way_out import WayOut
from medassist.doctor import confinement as held
from medassist.doctor import terminal as shown
from medassist.doctor.finding import Finding
from medassist.doctor.folders import folders
from medassist.doctor.models import models
from medassist.doctor.offline import offline
from medassist.doctor.records import FOLDER, records
from medassist.engine import confine
from medassist.engine.confinement_trial import ConfinementTrial
from medassist.engine.devices import Device, Processors
from medassist.records import vault
from medassist.settings import Settings
from tests.e2e.traced import can_trace, outward, traced
from tests.records.making import CHEAP, PASSPHRASE
from tests.tiny_models import TinyPair, write_pair

needs_permissions = pytest.mark.skipif(
    sys.platform == "win32", reason="permissions are others there"
)
Done = subprocess.CompletedProcess[str]
Doctor = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The program's folder in the home of a user who has used it, looked at."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / "medassist"
    monkeypatch.setenv("MEDASSIST_HOME", str(home))
    for kind in ("config", "data", "cache"):
        (home / kind).mkdir(mode=0o700, parents=True)
    with only_looked_at():
        yield home


@pytest.fixture
def doctor(home: Path) -> Doctor:
    def run(*arguments: str, before: tuple[str, ...] = (), **more: str) -> Done:
        return subprocess.run(
            [*before, sys.executable, "-m", "medassist", "doctor", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONUTF8": "1", **more},
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


def wrong(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.level == "wrong"]


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(f): (f.lstat().st_mode, f.lstat().st_mtime_ns)
        for f in (folder, *sorted(folder.rglob("*")))
    }


# The command


def test_a_computer_in_order_is_told_so_and_stays_as_it_was(
    doctor: Doctor, home: Path
) -> None:
    (home / "cache").rmdir()
    before = everything(home)
    done = doctor()
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "Nothing is wrong" in done.stdout
    assert everything(home) == before
    parts = {"installed", "offline", "machine", "confinement", "folders", "settings"}
    parts |= {"records", "models", "terminal"}
    assert parts <= set(done.stdout.splitlines())


def test_a_program_gets_one_object(doctor: Doctor) -> None:
    done = doctor("--json")
    told = json.loads(done.stdout)
    assert told["wrong"] == 0
    assert {f["level"] for f in told["findings"]} <= {"ok", "note"}
    assert told["notes"] == sum(f["level"] == "note" for f in told["findings"])


def test_what_is_wrong_ends_with_exit_code_1(doctor: Doctor, home: Path) -> None:
    (home / "config" / "settings.toml").write_text("threads = 'many'\n")
    (home / "config" / "settings.toml").chmod(0o600)
    done = doctor("--json")
    assert done.returncode == 1
    (told,) = [f for f in json.loads(done.stdout)["findings"] if f["level"] == "wrong"]
    assert told["part"] == "settings"
    assert "settings.toml, line 1" in told["text"]


def test_the_users_home_is_not_named(doctor: Doctor, home: Path) -> None:
    (home / "config").chmod(0o755)
    done = doctor("--json")
    assert "~/medassist/config" in done.stdout
    assert str(home.parent) not in done.stdout


def test_it_takes_little_of_the_processor_and_loads_no_heavy_rooms(
    doctor: Doctor,
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert doctor().returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of both processes, which run side by side: 1.0 s where this was written.
    assert after.ru_utime - before.ru_utime < 3
    script = "import medassist.doctor.tell, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    heavy = {"textual", "torch", "transformers", "llama_cpp", "numpy", "sqlcipher3"}
    assert loaded & heavy == set()


@pytest.mark.skipif(not can_trace(), reason="strace is not installed")
def test_nothing_is_sent(doctor: Doctor, tmp_path: Path) -> None:
    trial = held.try_out().trial
    if trial is None or confine.SECCOMP not in trial.confined:
        pytest.skip("this system cannot refuse the calls of the trial")
    log = tmp_path / "calls"
    assert doctor(before=tuple(traced(log))).returncode == 0
    tried = [line for line in outward(log) if "AF_INET" in line]
    # The confined process tries, which is the point; the kernel refuses.
    assert tried
    assert {line.rpartition("= ")[2] for line in tried} == {
        "-1 EPERM (Operation not permitted)"
    }


# Folders


@needs_permissions
@pytest.mark.parametrize(
    ("name", "mode"),
    [("data", 0o755), ("config/settings.toml", 0o644), ("data/records", 0o750)],
)
def test_what_others_can_read_is_named_with_the_command_that_mends_it(
    name: str, mode: int, home: Path
) -> None:
    (home / "config" / "settings.toml").touch(0o600)
    (home / "data" / "records").mkdir(0o700)
    assert wrong(folders()) == []
    (home / name).chmod(mode)
    (found,) = wrong(folders())
    assert f"~/medassist/{name}" in found.text
    assert (home / name).stat().st_mode & 0o777 == mode  # told, and left as it is
    subprocess.run(["sh", "-c", found.do], check=True, cwd="/")
    assert wrong(folders()) == []


@needs_permissions
def test_a_folder_with_a_space_can_be_mended_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home.parent / "on a stick; 'mine'"
    (other / "data").mkdir(parents=True)
    (other / "data").chmod(0o777)
    monkeypatch.setenv("MEDASSIST_HOME", str(other))
    (found,) = wrong(folders())
    subprocess.run(["sh", "-c", found.do], check=True, cwd="/")
    assert (other / "data").stat().st_mode & 0o777 == 0o700


@needs_permissions
def test_a_folder_above_in_which_everybody_writes_is_wrong(home: Path) -> None:
    home.chmod(0o777)
    (found,) = wrong(folders())
    assert "put another folder in the place of yours" in found.text
    home.chmod(0o1777)  # as /tmp
    assert wrong(folders()) == []


def test_models_may_be_read_by_everybody(home: Path) -> None:
    (home / "data" / "models").mkdir()
    (home / "data" / "models").chmod(0o700)
    (home / "data" / "models" / "m.gguf").touch()
    (home / "data" / "models" / "m.gguf").chmod(0o644)
    assert wrong(folders()) == []


def test_a_synchronised_folder_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDASSIST_HOME", str(home.parent / "Dropbox" / "m"))
    assert any("leaves this computer" in f.text for f in folders())


# Records


def test_records_are_described_without_being_opened(home: Path) -> None:
    import asyncio

    assert FOLDER == vault.FOLDER
    assert records(Settings())[-1].text == "There are no records."

    async def make() -> None:
        new = vault.Vault(home / "data" / FOLDER)
        await new.create(PASSPHRASE, CHEAP)
        await new.lock()

    asyncio.run(make())
    before = everything(home)
    found = records(Settings())
    assert wrong(found) == []
    assert "encrypted" in found[-1].text
    assert everything(home) == before


@pytest.mark.parametrize("name", ["key.json", "records.db"])
def test_half_of_the_records_is_wrong(name: str, home: Path) -> None:
    (home / "data" / FOLDER).mkdir()
    (home / "data" / FOLDER / name).write_text("x")
    (found,) = wrong(records(Settings()))
    assert "is not there" in found.text
    assert "backup" in found.do


def test_a_database_that_is_not_encrypted_is_wrong(home: Path) -> None:
    from medassist.records.key import new_key, wrap, write_key_file

    folder = home / "data" / FOLDER
    folder.mkdir()
    write_key_file(folder / "key.json", wrap(new_key(), PASSPHRASE, CHEAP))
    with sqlite3.connect(folder / "records.db") as plain:
        plain.execute("CREATE TABLE t (a)")
    (found,) = wrong(records(Settings()))
    assert "not encrypted" in found.text
    (folder / "key.json").write_text("{}")
    (found,) = wrong(records(Settings()))
    assert "key.json is damaged" in found.text


# Models


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


def test_a_model_that_was_taken_away_is_wrong(home: Path, pair: TinyPair) -> None:
    def name(path: Path) -> None:
        named = {"version": 1, "models": {"mine": {"path": str(path)}}}
        (home / "data" / "models.json").write_text(json.dumps(named))

    name(pair.base)
    assert wrong(models(Settings())) == []
    name(pair.base.with_name("gone.gguf"))
    (found,) = wrong(models(Settings()))
    assert "mine" in found.text and "gone.gguf" in found.text


def test_a_starter_pair_that_was_changed_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.doctor.models.sha256_of_file", lambda file: "0" * 64)
    (found,) = wrong(models(Settings()))
    assert "not what was shipped" in found.text


def test_a_pair_that_does_not_fit_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.library.fit.available_memory", lambda: 10**7)
    (found,) = [f for f in models(Settings()) if "takes about" in f.text]
    assert found.level == "note" and "too much" in found.text and found.do


# Offline


def test_a_guard_that_lets_a_look_up_through_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert wrong(offline(None)) == []
    monkeypatch.setattr("sys.audit", lambda *event: None)
    assert "guard is not on" in wrong(offline(None))[0].text


def test_variables_that_talk_are_named_with_the_way_to_be_rid_of_them(
    doctor: Doctor,
) -> None:
    done = doctor("--json", TEXTUAL_LOG="/tmp/log", HF_HUB_OFFLINE="0")
    notes = [f for f in json.loads(done.stdout)["findings"] if f["part"] == "offline"]
    assert "unset TEXTUAL_LOG" in {f["do"] for f in notes}
    assert "unset HF_HUB_OFFLINE" in {f["do"] for f in notes}


def test_the_way_of_downloads_is_told_without_the_password_of_a_proxy(
    doctor: Doctor, home: Path
) -> None:
    file = home / "config" / "settings.toml"
    secret = "me:geheim@proxy.example:3128"
    done = doctor("--json", HTTPS_PROXY=f"http://{secret}")
    assert "Downloads that you ask for go by no proxy." in done.stdout
    assert "HTTPS_PROXY of your environment names a proxy" in done.stdout
    assert "geheim" not in done.stdout + done.stderr
    file.write_text(f'[network]\nproxy = "http://{secret}"\n')
    for arguments in ([], ["--json"]):
        done = doctor(*arguments)
        shown = " ".join(done.stdout.split())
        assert "go through the proxy http://…@proxy.example:3128" in shown
        assert "geheim" not in done.stdout + done.stderr
    file.write_text(f'[network]\nproxy = "{secret}"\n')
    done = doctor()
    assert "no address of a proxy" in " ".join(done.stdout.split())
    assert "geheim" not in done.stdout + done.stderr


def test_a_file_of_certificates_that_cannot_be_used_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    for content, why in ((None, "No such file"), ("a letter", "form PEM")):
        if content is not None:
            file.write_text(content)
        (found,) = wrong(offline(Settings(network=WayOut(ca_file=str(file)))))
        assert str(file) in found.text
        assert why in found.text


# Confinement and machine


def a_trial(confined: str, **able: str) -> ConfinementTrial:
    processor = Device(kind="CPU", name="x", free_bytes=1, total_bytes=1)
    found = Processors(
        version="0", features=(), gpu_offload=False, devices=(processor,), threads=1
    )
    attempts = {"read its model": "allowed", "send (UDP)": "refused", **able}
    return ConfinementTrial.model_validate(
        {"confined": confined, "threads": 1, "attempts": attempts, "processors": found}
    )


def test_what_the_kernel_cannot_hold_is_told_with_the_reason() -> None:
    trial = a_trial("landlock, seccomp", **{"connect (TCP)": "allowed"})
    (found,) = held.confinement(held.Tried(trial))
    assert found.level == "note"
    assert "could connect (TCP) (tried; what holds it: landlock, seccomp)" in found.text
    assert "network namespace" in found.do and "Landlock" not in found.do


@pytest.mark.skipif(sys.platform != "linux", reason="signals are told elsewhere too")
@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        (f"os.kill(os.getpid(), {int(signal.SIGILL)})", "for another processor"),
        ("raise RuntimeError('Failed to load shared library libllama.so')", "loaded"),
    ],
)
def test_a_llama_cpp_that_cannot_run_here_is_wrong(
    breaks: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text(f"import os\n{breaks}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = held.confinement(held.try_out())
    assert found.level == "wrong"
    assert told in found.text and "make clean run" in found.do


# The terminal


def test_copying_without_a_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    told = shown.terminal(["wl-copy", "xclip"])[-1]
    assert told.level == "note"
    assert "wl-copy and xclip would do it" in told.text
    assert "wl-clipboard" in told.do


def test_letters_that_are_not_utf_8_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    old = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", old)
    (found,) = wrong(shown.terminal([]))
    assert "latin-1" in found.text and "LANG" in found.do

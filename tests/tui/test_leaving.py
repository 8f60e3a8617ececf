from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from textual.worker import WorkerFailed

from medassist.tui import crash
from medassist.tui.clipboard import programs
from medassist.tui.clipboard_timeout import ClipboardTimeout
from tests.stubs.engine import FakeEngines
from tests.tui.page import app_with, opened

SECRET = "Mrs Example, born 1950"


def failing(note: str) -> None:
    patient = note
    raise RuntimeError(f"cannot draw {patient}")


def caught() -> RuntimeError:
    try:
        failing(SECRET)
    except RuntimeError as error:
        return error
    raise AssertionError


def test_a_crash_is_one_sentence_without_what_the_user_wrote() -> None:
    said = crash.report(caught(), debug=False)
    assert "RuntimeError" in said and "--debug" in said
    assert SECRET not in said
    assert "\n" not in said


def test_a_traceback_is_given_on_demand_and_holds_no_local_variables() -> None:
    said = crash.report(caught(), debug=True)
    assert "in failing" in said
    assert "patient =" not in said.replace("patient = note", "")


async def test_an_error_in_the_screen_ends_the_program_with_that_sentence(
    engines: FakeEngines, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_with(engines)
    with pytest.raises(RuntimeError):
        async with opened(app, size=(80, 24)) as page:
            app.consult.composer.text = SECRET
            app.call_later(failing, SECRET)
            await page.until(lambda: app.crash_report)
    assert app.return_code == 1
    assert app.crash_report.startswith("medassist had to stop: RuntimeError")
    printed = capsys.readouterr()
    assert SECRET not in app.crash_report + printed.out + printed.err


async def test_work_that_fails_while_the_user_leaves_is_no_crash(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(engines)
    closing = app.consult.session.close
    left = asyncio.Event()

    async def search() -> None:
        """As a search of the records does, whose store is closed under it."""
        await left.wait()
        raise RuntimeError

    async def close() -> None:
        left.set()
        with suppress(WorkerFailed):
            await searching.wait()
        await closing()

    async with opened(app, size=(80, 24)) as page:
        searching = app.run_worker(search(), group="find")
        monkeypatch.setattr(page.session, "close", close)
        await page.press("ctrl+q", "ctrl+q")
        await page.until(lambda: engines.last.state == "closed")
    assert app.return_code == 0
    assert app.crash_report == ""


async def test_an_error_of_leaving_itself_is_told(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(engines)

    async def close() -> None:
        raise OSError

    with pytest.raises(OSError):
        async with opened(app, size=(80, 24)) as page:
            monkeypatch.setattr(page.session, "close", close)
            await page.press("ctrl+q")
            await page.until(lambda: app.crash_report)
    assert app.return_code == 1


async def test_quitting_a_consultation_is_confirmed_by_the_same_key(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.ask("One?")
        await page.press("ctrl+q")
        await page.until_seen("This consultation is not saved")
        await page.press("enter")  # an Enter too many keeps the consultation
        await page.until_back()
        assert engines.last.state == "ready"
        await page.press("ctrl+q", "ctrl+q")
        await page.until(lambda: engines.last.state == "closed")


async def test_quitting_while_answers_are_written_is_confirmed(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines, size=(80, 24)) as page:
        await page.send("One?")
        await page.until_seen("writing")
        await page.press("ctrl+q")
        await page.until_seen("still being written")
        await page.push("#yes")
        await page.until(lambda: engines.last.state == "closed")


async def test_quitting_with_a_question_half_written_is_confirmed(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.press(*"half", "ctrl+q")
        await page.until_seen("What you have written")
        await page.press("escape")
        await page.until_back()
        assert page.consult.composer.text == "half"
        page.consult.composer.text = ""
        await page.press("ctrl+q")
        await page.until(lambda: engines.last.state == "closed")


def test_the_clipboards_program_fits_the_platform() -> None:
    def names(platform: str, **environment: str) -> list[str]:
        return [program.command[0] for program in programs(environment, platform)]

    assert names("darwin") == ["pbcopy"]
    assert names("win32") == ["clip.exe"]
    assert names("linux") == []
    assert names("linux", DISPLAY=":0") == ["xclip", "xsel"]
    assert names("linux", WAYLAND_DISPLAY="w", DISPLAY=":0")[0] == "wl-copy"
    assert names("linux", WSL_DISTRO_NAME="d") == ["clip.exe"]
    # Over SSH the far computer's own clipboard is not the user's.
    assert names("darwin", SSH_CONNECTION="x") == []
    assert names("linux", SSH_TTY="x", DISPLAY=":10") == ["xclip", "xsel"]


async def test_a_clipboard_program_that_fails_is_not_called_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medassist.tui import clipboard

    for name, script in [
        ("xclip", "#!/bin/sh\nexit 1\n"),
        ("xsel", f"#!/bin/sh\ncat > {tmp_path}/copied\n"),
    ]:
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert await clipboard.copy_by_program("fièvre 38,5")
    assert (tmp_path / "copied").read_text() == "fièvre 38,5"
    (tmp_path / "xsel").write_text("#!/bin/sh\nexit 1\n")
    assert not await clipboard.copy_by_program("x")


def test_without_a_terminal_the_screen_says_so_and_does_not_begin() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "medassist"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_frame_does_not_wait_for_what_it_does_not_show() -> None:
    script = (
        "import sys\n"
        "from medassist.tui.app import ConsultApp\n"
        "from medassist.session.choice import Choice\n"
        "ConsultApp(Choice())\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "textual" in loaded
    assert not loaded & {
        "pydantic",
        "llama_cpp",
        "numpy",
        "tomlkit",
        "psutil",
        "jinja2",
    }
    ours = [name for name in done.stdout.split() if name.startswith("medassist.")]
    later = ("medassist.records", "medassist.safety", "medassist.library")
    assert [name for name in ours if name.startswith(later)] == []
    assert "medassist.engine.client" not in done.stdout.split()
    assert "textual.widgets._markdown" not in done.stdout.split()


def test_neither_message_nor_cause_of_an_error_quotes_what_the_user_wrote() -> None:
    last = KeyError(SECRET)
    last.__cause__ = caught()
    said = crash.report(last, debug=True)
    assert "RuntimeError" in said and "KeyError" in said and "in failing" in said
    assert SECRET not in said


def test_an_error_that_nobody_catches_prints_its_kind_alone() -> None:
    script = (
        "import threading\n"
        "from medassist.tui import crash\n"
        "crash.keep_quiet()\n"
        "def fail(): raise ValueError('Mrs Example')\n"
        "thread = threading.Thread(target=fail)\n"
        "thread.start(); thread.join()\n"
        "class Dying:\n"
        "    def __del__(self): fail()\n"
        "Dying()\n"
        "fail()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    assert "Example" not in done.stderr + done.stdout


async def test_what_was_copied_is_cleared_from_the_clipboard_after_a_while(
    tmp_path: Path, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = clipboard_in(tmp_path, monkeypatch)
    async with opened(engines, size=(80, 24)) as page:
        (await page.app.settings()).clipboard_seconds = 1
        page.app.copy_to_clipboard("the answer")
        await page.until(lambda: held.read_text() == "the answer")
        await page.until(lambda: held.read_text() == "")


async def test_what_another_program_copied_since_stays_on_the_clipboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = clipboard_in(tmp_path, monkeypatch)
    copied = ClipboardTimeout()
    held.write_text("the answer")
    copied.note("the answer", 60)
    assert await copied.clear()
    assert held.read_text() == ""
    held.write_text("somebody else's")
    copied.note("the answer", 60)
    assert not await copied.clear()
    assert held.read_text() == "somebody else's"


async def test_locking_and_leaving_clear_the_clipboard_at_once(
    tmp_path: Path, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = clipboard_in(tmp_path, monkeypatch)
    async with opened(engines, size=(80, 24)) as page:
        page.app.copy_to_clipboard("the answer")
        await page.until(lambda: held.read_text() == "the answer")
        await page.press("ctrl+l")
        await page.until(lambda: held.read_text() == "")
        await page.press("enter")
        await page.until_back()
        page.app.copy_to_clipboard("another")
        await page.until(lambda: held.read_text() == "another")
        await page.press("ctrl+q")
        await page.until(lambda: engines.last.state == "closed")
        await page.until(lambda: held.read_text() == "")


def clipboard_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clipboard that is a file, with the one program that serves it."""
    held = folder / "clipboard"
    held.write_text("")
    programs = folder / "programs"
    programs.mkdir()
    script = programs / "xclip"
    script.write_text(
        f'#!/bin/sh\ncase "$3" in -out) cat "{held}";; *) cat > "{held}";; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return held

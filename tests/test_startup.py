import subprocess
import sys
from pathlib import Path

import pytest

# Each of these costs more than the front door as a whole may take.
NOT_FOR_HELP = {
    "asyncio",
    "jinja2",
    "llama_cpp",
    "numpy",
    "platformdirs",
    "psutil",
    "pydantic",
    "rich",
    "textual",
    "tomlkit",
    "torch",
    "transformers",
}


def loaded_after(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `program`."""
    return {name.split(".")[0] for name in modules_after(program)}


def modules_after(program: str) -> set[str]:
    script = f"{program}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return set(done.stderr.split())


def test_the_front_door_loads_nothing_heavy() -> None:
    loaded = loaded_after("import medassist.commands.front_door")
    assert "typer" in loaded
    assert loaded & NOT_FOR_HELP == set()


def test_the_front_door_loads_no_verb() -> None:
    loaded = modules_after("import medassist.commands.front_door")
    assert not {m for m in loaded if m.startswith(("convert", "finetune"))}
    verbs = {m for m in loaded if m.startswith("medassist.commands.")}
    assert verbs == {
        f"medassist.commands.{name}" for name in ("consult", "front_door", "options")
    }


@pytest.mark.parametrize("room", ["convert", "finetune"])
def test_of_another_room_its_verbs_load_the_options_alone(room: str) -> None:
    loaded = {m for m in modules_after(f"import {room}.commands") if m.startswith(room)}
    light = (f"{room}.commands", f"{room}.errors")
    assert {m for m in loaded if not m.startswith(light)} == {room}


def test_help_loads_nothing_heavy_either() -> None:
    loaded = loaded_after(
        "from medassist.commands.front_door import app\n"
        "app(['--help'], standalone_mode=False)"
    )
    assert loaded & NOT_FOR_HELP == set()


def test_the_screen_alone_waits_for_no_reader_of_options() -> None:
    # Its input is no terminal here, so that it ends at once and says so.
    loaded = loaded_after(
        "import sys; sys.argv[1:] = []; from medassist.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert ended.code == 2"
    )
    assert "textual" in loaded
    assert loaded & {"typer", "pydantic", "llama_cpp", "numpy"} == set()


def test_the_ground_floor_checks_nothing_when_it_is_loaded() -> None:
    core = Path(__file__).parents[1] / "medassist" / "core"
    rooms = [f"medassist.core.{file.stem}" for file in core.glob("[!_]*.py")]
    assert "medassist.core.card" in rooms
    assert "pydantic" not in loaded_after(f"import {', '.join(rooms)}")


def test_the_guard_alone_loads_almost_nothing() -> None:
    assert loaded_after("import medassist") & (NOT_FOR_HELP | {"typer", "socket"}) == (
        set()
    )


@pytest.mark.parametrize("command", [["-m", "medassist"], ["-m", "medassist", "ask"]])
def test_the_program_runs_as_a_module_and_helps(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: medassist" in done.stdout
    assert done.stderr == ""

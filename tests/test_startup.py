import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
    light = (f"{room}.commands", f"{room}.errors", f"{room}.supported_models")
    assert {m for m in loaded if not m.startswith(light)} == {room}


WITHOUT = """
import importlib, pkgutil, sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {lacking!r}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Lacking())
import medassist
for module in pkgutil.walk_packages(medassist.__path__, "medassist."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError:
            print(module.name)
"""
# What goes to a network that the user named, which the extras bring.
NEEDS_AN_EXTRA = {
    "medassist.bench.ollama",
    "medassist.core.download",
    "medassist.core.network",
    "medassist.core.ollama_connection",
    *(
        f"medassist.serve.{name}"
        for name in (
            *("answering", "app", "check", "compare_route", "desk", "metrics"),
            "openai.chat",
            *("ollama.ollama_answer", "ollama.models", "ollama.routes"),
            *("openai.completions", "openai.models", "openai.responses", "protocol"),
            *(
                "page.routes",
                "page.static",
                "audit_recorder",
                "records.routes",
                "server",
                "stream",
                "tls",
            ),
            *("upstream.asking", "upstream.check", "upstream.discover"),
            *("upstream.http_client", "upstream.outgoing", "upstream.reader"),
            "upstream.upstream_pair",
        )
    ),
}
CALLED = {
    "huggingface-hub": "huggingface_hub",
    "pyyaml": "yaml",
    "python-pptx": "pptx",
}
"""Packages of the extras by the module that they are imported as, if it is another."""


def test_the_plain_install_holds_all_that_the_app_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=]", each)[0] for each in requirements}

    # `make run` installs what records need, too; rich, jinja2 and numpy come with what
    # the app needs.
    plain = names(project["dependencies"]) | names(extras["records"])
    plain |= {"medassist", "rich", "jinja2", "numpy"}
    wanted = ("convert", "finetune", "pull", "qlora", "sagemaker", "serve")
    more = set[str]().union(*(names(extras[name]) for name in wanted)) - plain
    lacking = {CALLED.get(name, name.replace("-", "_")) for name in more}
    assert {"httpx2", "torch", "yaml", "boto3"} <= lacking
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(lacking=lacking)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == NEEDS_AN_EXTRA


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

"""The arrows of design.md: which room may import which."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("medassist", "convert", "finetune")
HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "tensorflow"}

# What of medassist a room may import. A room that is not named here imports what it
# likes of its own and of `LEAVES`; each further room of the house gets its line.
LEAVES = {"medassist", "paths", "card", "privacy", "progress", "terminal"}
ALLOWED: dict[str, set[str]] = {
    "privacy": {"privacy"},
    "paths": set(),
    "card": {"paths"},
    "settings": {"paths", "engine"},
    # Of the library the child reads headers, and the engine's errors are its words.
    "engine": {"engine", "library", "privacy", "medassist"},
    # The pair that comes with the program is one of the list.
    "library": {
        *("library", "engine", "paths", "card", "privacy", "progress", "starter"),
    },
    "starter": {"starter", "engine", "card", "paths"},
    # Turns and verdicts hold messages and answers: the protocol's values. What many
    # verdicts say is a matter of statistics.
    "consult": {"consult", "engine", "exams"},
    "safety": {"safety"},
    # What an answer was written under is made of the protocol's values.
    "records": {"records", "consult", "engine", "paths", "privacy"},
    "exams": {"exams", "engine", "card", "paths"},
    # It looks at everything but the screen, and opens nothing.
    "doctor": {
        *("doctor", "engine", "library", "paths", "privacy", "records", "settings"),
        *("card", "starter", "medassist"),
    },
    "ask": {"ask_print", "ask_notice", "engine", "starter", "library", "privacy"},
    "ask_print": {"ask_notice", "engine", "library", "privacy"},
    "ask_notice": {"intended_use", "safety", "settings"},
    "intended_use": set(),
}
# What the rooms outside share with the app, terminals and progress included.
SHARED = {"medassist", "card", "paths", "exams", "privacy", "progress", "terminal"}
OF_MEDASSIST: dict[str, set[str]] = {
    "finetune": {*SHARED, "safety"},
    "convert": {*SHARED, "safety", "engine"},
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, anywhere in it, with the line."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for name in node.names:
                    yield node.lineno, name.name
            case ast.ImportFrom(module=str(module), level=0):
                # `from medassist import card` names the room after the package.
                if module in PACKAGES:
                    for name in node.names:
                        yield node.lineno, f"{module}.{name.name}"
                else:
                    yield node.lineno, module
            case ast.ImportFrom():
                pytest.fail(f"{file}:{node.lineno}: relative imports hide the room")
            case _:
                pass


def room_of(module: str) -> str:
    """`medassist.engine.client` is in the room `engine`."""
    package, *inner = module.split(".")
    if inner:
        room = ROOT / package / inner[0]
        if room.is_dir() or room.with_suffix(".py").exists():
            return inner[0]
    return package


def wrong(package: str, is_wrong: object) -> list[str]:
    assert callable(is_wrong)
    return [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file in sources(package)
        for line, module in imports(file)
        if is_wrong(file, module)
    ]


def own_room(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[min(1, len(parts) - 1)]


def test_there_is_something_to_look_at() -> None:
    for package in PACKAGES:
        assert len(sources(package)) > 1


def test_the_app_never_imports_torch_or_transformers() -> None:
    assert wrong("medassist", lambda _, m: m.split(".")[0] in HEAVY) == []


def test_the_app_imports_the_other_packages_in_its_front_door_only() -> None:
    def is_wrong(file: Path, module: str) -> bool:
        return module.split(".")[0] in ("convert", "finetune") and (
            own_room(file) not in ("cli", "cli_rooms")
        )

    assert wrong("medassist", is_wrong) == []


def test_nothing_imports_the_screen_but_the_front_door_and_itself() -> None:
    def is_wrong(file: Path, module: str) -> bool:
        return module.startswith("medassist.tui") and not (
            file.is_relative_to(ROOT / "medassist" / "tui")
            or file == ROOT / "medassist" / "cli.py"
        )

    assert [w for package in PACKAGES for w in wrong(package, is_wrong)] == []


def test_only_the_screen_imports_textual() -> None:
    def is_wrong(file: Path, module: str) -> bool:
        return module.split(".")[0] == "textual" and own_room(file) != "tui"

    assert [w for package in PACKAGES for w in wrong(package, is_wrong)] == []


def test_each_room_of_the_app_imports_what_lies_downstream() -> None:
    def is_wrong(file: Path, module: str) -> bool:
        own = own_room(file)
        if not module.startswith("medassist.") or own not in ALLOWED:
            return False
        return room_of(module) not in ALLOWED[own]

    assert wrong("medassist", is_wrong) == []


@pytest.mark.parametrize("package", OF_MEDASSIST)
def test_the_other_packages_import_the_shared_rooms_alone(package: str) -> None:
    def is_wrong(file: Path, module: str) -> bool:
        return module.split(".")[0] == "medassist" and (
            room_of(module) not in OF_MEDASSIST[package]
        )

    assert wrong(package, is_wrong) == []


def test_finetune_and_convert_do_not_import_each_other() -> None:
    assert wrong("finetune", lambda _, m: m.split(".")[0] == "convert") == []
    assert wrong("convert", lambda _, m: m.split(".")[0] == "finetune") == []

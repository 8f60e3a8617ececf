"""`medassist models` as a user runs it: the real program, tiny real models."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_models import TinyPair, write_model


@pytest.fixture
def models(environment: dict[str, str], tmp_path: Path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "medassist", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**environment, "OLLAMA_MODELS": str(tmp_path / "none")},
        )

    return run


def test_a_pair_is_imported_shown_asked_and_forgotten(models, pair: TinyPair) -> None:
    taken = models(
        *("models", "import", pair.base, "--adapter", pair.plain, "--name", "mine"),
        "--json",
    )
    assert taken.returncode == 0, taken.stderr
    base, adapter = json.loads(taken.stdout)["models"]
    listed = json.loads(models("models", "list", "--json").stdout)
    found = {one["name"]: one for one in listed["models"]}
    assert found[base]["architecture"] == "llama"
    assert found[base]["fits"] in ("fits", "tight")
    assert found[adapter]["kind"] == "adapter"
    assert [one["name"] for one in listed["pairs"]] == ["starter", "mine"]
    shown = json.loads(models("models", "show", "mine", "--json").stdout)["pair"]
    assert len(shown["parts"][0]["sha256"]) == 64
    assert shown["need"] > shown["weights"] + shown["kv"]
    assert models("models", "default", "mine").stdout == "mine\n"
    answered = models(
        *("ask", "Hello?", "--json", "--max-tokens", "4", "--threads", "1"),
    )
    assert answered.returncode == 0, answered.stderr
    assert pair.plain.name in answered.stdout
    removed = models("models", "remove", "mine")
    assert removed.returncode == 0
    assert models("models", "default").stdout == "starter\n"
    assert pair.base.exists()


def test_what_is_wrong_with_a_model_is_said_and_is_the_exit_code(
    models, pair: TinyPair, tmp_path: Path
) -> None:
    path = write_model(
        tmp_path / "endless.gguf",
        pair.weights,
        pair.tokenizer,
        template="{% for m in messages %}{{ m.content }}<|user|>{% endfor %}",
    )
    models("models", "import", path, "--name", "endless")
    checked = models("models", "check", "endless")
    assert checked.returncode == 1
    assert "answers run on" in checked.stdout
    assert "eot_token_id" in checked.stdout
    assert models("models", "check", "starter").returncode == 0


def test_an_error_is_one_sentence(models) -> None:
    for arguments in (
        ("models", "show", "nobody"),
        ("models", "import", "/no/such.gguf"),
        ("models", "remove", "starter"),
        ("models", "pull", "no-owner"),
    ):
        done = models(*arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("medassist: ")
        assert "Traceback" not in done.stderr
    both = models("ask", "x", "--pair", "mine", "--base", "b.gguf")
    assert both.returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no umask")
def test_whatever_the_umask_is_all_that_the_program_makes_is_for_the_user_alone(
    models, pair: TinyPair, environment: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "above" / "new home"
    environment["MEDASSIST_HOME"] = str(home)
    before = os.umask(0)
    try:
        taken = models("models", "import", pair.base, "--copy", "--name", "mine")
        asked = models("ask", "Hello?", "--base", pair.base, "--json")
    finally:
        os.umask(before)
    assert taken.returncode == 0, taken.stderr
    assert asked.returncode == 0, asked.stderr
    made = [home.parent, home, *home.rglob("*")]
    assert {"settings.toml", "models.json", "hashes.json", pair.base.name} <= {
        file.name for file in made
    }
    for path in made:
        assert not path.stat().st_mode & 0o077, path

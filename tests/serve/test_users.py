"""Who may use the server: names and hashed tokens, in a file of the operator's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from medassist.serve import users
from medassist.serve.errors import ServeError
from medassist.serve.options import ServeOptions
from medassist.serve.server import who
from tests.program import medassist_said


def test_a_token_is_known_by_its_hash_and_stands_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    anna, bert = users.add(file, "anna"), users.add(file, "bert")
    text = file.read_text()
    assert anna not in text
    assert hashlib.sha256(anna.encode()).hexdigest() in text
    assert file.stat().st_mode & 0o777 == 0o600
    known = users.load(file)
    assert known.names == ("anna", "bert")
    assert (known.of(anna), known.of(bert)) == ("anna", "bert")
    assert known.of(anna[:-1]) is None
    assert known.of("") is None
    users.revoke(file, "anna")
    assert users.load(file).of(anna) is None
    assert users.load(file).of(bert) == "bert"


def test_tokens_are_long_and_never_the_same(tmp_path: Path) -> None:
    tokens = {users.add(tmp_path / "users.json", f"user{n}") for n in range(20)}
    assert len(tokens) == 20
    assert all(len(token.removeprefix(users.PREFIX)) >= 43 for token in tokens)


@pytest.mark.parametrize("name", ["", "Anna", "a b", "../x", "you", "a" * 33, "ä"])
def test_what_cannot_be_a_name_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ServeError, match="cannot be a user's name"):
        users.add(tmp_path / "users.json", name)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    users.add(file, "anna")
    with pytest.raises(ServeError, match="already"):
        users.add(file, "anna")
    with pytest.raises(ServeError, match="no user 'bert'"):
        users.revoke(file, "bert")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "users": []}',
        '{"users": [{"name": "anna"}]}',
        '{"users": [], "more": 1}',
    ],
)
def test_a_file_that_is_no_list_of_users_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "users.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ServeError, match=r"users\.json: it is no list of users"):
        users.load(file)


def test_one_name_twice_is_told(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    users.add(file, "anna")
    content = json.loads(file.read_text())
    content["users"] *= 2
    file.write_text(json.dumps(content))
    with pytest.raises(ServeError, match="twice"):
        users.load(file)


def test_a_file_that_others_may_change_lets_in_nobody(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    users.add(file, "anna")
    file.chmod(0o622)
    with pytest.raises(ServeError, match="chmod 600"):
        users.load(file)


def test_without_named_users_there_is_a_token_for_the_one_run() -> None:
    (first, one), (second, other) = who(ServeOptions()), who(ServeOptions())
    assert one != other
    assert first.of(one) == second.of(other) == "you"
    assert first.of(other) is None
    users.add(users.default_file(), "anna")
    known, none = who(ServeOptions())
    assert none == ""
    assert known.names == ("anna",)


def test_the_verbs_add_list_and_revoke(tmp_path: Path) -> None:
    file = tmp_path / "users.json"

    def verb(*words: str) -> CompletedProcess[str]:
        return medassist_said("serve", "user", *words, "--users", file)

    added = verb("add", "anna")
    assert added.returncode == 0
    assert users.load(file).of(added.stdout.strip()) == "anna"
    assert "shown this once" in added.stderr
    assert verb("list").stdout.startswith("anna  since ")
    assert verb("revoke", "anna").returncode == 0
    assert verb("list").stdout == ""
    again = verb("revoke", "anna")
    assert again.returncode == 2
    assert "no user 'anna'" in again.stderr

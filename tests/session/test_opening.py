from __future__ import annotations

from pathlib import Path

import pytest

from medassist.library.errors import LibraryError
from medassist.library.model_import import import_path
from medassist.library.pairs import make_pair
from medassist.session.choice import Choice
from medassist.session.default_pair import opening
from tests.tiny_models import write_pair


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mine(home: Path, tmp_path: Path) -> Choice:
    """A pair of the library, as the program opens it."""
    files = write_pair(tmp_path)
    import_path(files.base, "the-base")
    import_path(files.plain, "the-adapter")
    make_pair("mine", "the-base", None, "the-adapter")
    return opening(None, None, None, "mine")


def test_a_pair_without_a_file_is_the_starter_pair_with_both_panes() -> None:
    assert Choice().is_starter
    assert Choice().panes == ("base", "tuned")
    assert Choice(tuned=Path("t")).panes == ("tuned",)


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(adapter=Path("a")), "needs the base model"),
        (Choice(Path("b"), Path("t"), Path("a")), "not both"),
    ],
)
def test_files_that_are_no_pair_are_refused_with_the_reason(
    choice: Choice, why: str
) -> None:
    assert why in (choice.problem or "")


def test_the_program_opens_with_files_before_pairs_and_with_the_starter_at_last(
    mine: Choice, home: Path
) -> None:
    assert mine.pair == "mine" and mine.name == "mine"
    assert opening(Path("b"), None, None, None) == Choice(Path("b"))
    assert opening(None, None, None, "starter") == Choice()
    assert opening(None, None, None, None) == Choice()
    with pytest.raises(LibraryError, match="no pair called 'other'"):
        opening(None, None, None, "other")
    for broken in ("{", "[]", '{"default": 5}', '{"default": "mine", "pairs": []}'):
        (home / "data" / "models.json").write_text(broken)
        assert opening(None, None, None, None) == Choice()

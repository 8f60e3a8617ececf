"""verify.json knows a file by its content, and a card beside it says the same."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from convert.errors import ConvertError
from convert.verify.result import hash_of, read_verified, record, require_verified
from medassist.core.card import Card, Lineage, StageFigures, read_card, write_card
from medassist.core.proofs import Check, Verified
from medassist.core.run_folder import VERIFY

FIGURES = StageFigures(
    steps=1,
    tokens=1,
    minutes=1,
    hardware="a computer",
    parameters=1,
    training_loss=1,
    validation_loss=1,
    bits_per_byte=1,
)


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "model-q4.gguf"
    made.write_bytes(b"GGUF and so on")
    return made


def found(file, *, passed=True, nmse=1e-7, parts=None) -> Verified:
    check = Check(name="logits", passed=passed, said="NMSE", figures={"NMSE": nmse})
    return Verified(
        kind="model",
        file=file.name,
        sha256=hash_of(file),
        parts=parts or {},
        quantization="F16",
        model="base",
        model_sha256="0" * 64,
        checks=(check,),
        seconds=1,
    )


def test_what_was_verified_is_known_by_its_content(file):
    entry = found(file)
    record(file, entry)
    assert read_verified(file) == require_verified(file) == entry
    moved = file.rename(file.with_name("other.gguf"))
    assert require_verified(moved) == entry


def test_a_file_that_was_never_verified_is_refused(file):
    assert read_verified(file) is None
    with pytest.raises(ConvertError, match=r"is not verified; run: .*verify"):
        require_verified(file)


def test_a_file_that_was_changed_since_is_refused(file):
    record(file, found(file))
    file.write_bytes(b"GGUF and so On")
    assert read_verified(file) is None
    with pytest.raises(ConvertError, match="was changed since"):
        require_verified(file)


def test_a_file_that_failed_is_refused_with_the_check(file):
    record(file, found(file, passed=False))
    with pytest.raises(ConvertError, match=r"did not pass.*logits: NMSE"):
        require_verified(file)


def test_a_changed_part_of_a_split_model_is_refused(file):
    part = file.with_name("part-2.gguf")
    part.write_bytes(b"more")
    record(file, found(file, parts={part.name: hash_of(part)}))
    require_verified(file)
    part.write_bytes(b"less")
    with pytest.raises(ConvertError, match="was changed since"):
        require_verified(file)


def test_files_of_one_folder_share_the_table_and_old_entries_go(file):
    other = file.with_name("model-q8.gguf")
    other.write_bytes(b"GGUF too")
    record(file, found(file))
    record(other, found(other))
    file.write_bytes(b"made anew")
    record(file, found(file))
    table = json.loads((file.parent / VERIFY).read_text("utf-8"))["files"]
    assert set(table) == {hash_of(file), hash_of(other)}


def test_a_figure_that_is_no_number_is_kept(file):
    record(file, found(file, passed=False, nmse=math.nan))
    entry = read_verified(file)
    assert entry is not None
    assert math.isnan(entry.checks[0].figures["NMSE"])


def test_a_table_that_is_none_is_told(file):
    (file.parent / VERIFY).write_text('{"version": 9}', "utf-8")
    with pytest.raises(ConvertError, match=r"verify\.json is not one"):
        read_verified(file)


def card_for(folder) -> Card:
    card = Card(
        name="Pair",
        what="A pair.",
        cannot=(),
        licence="CC BY 4.0",
        architecture="llama",
        parameters=1,
        context=1,
        lineage=Lineage(recipe="0", base="0"),
        sources=(),
        base=FIGURES,
    )
    write_card(card, folder / "card.json")
    return card


@pytest.mark.parametrize("inside", [False, True])
def test_the_card_beside_it_says_what_was_found(file, inside, tmp_path):
    """In a run folder the GGUFs are in `gguf`, and the card one above."""
    folder = tmp_path
    card = card_for(folder)
    if inside:
        (folder / "gguf").mkdir()
        file = file.rename(folder / "gguf" / file.name)
    assert record(file, found(file)) == []
    written = read_card(folder / "card.json")
    entry = written.verified[file.name]
    assert entry.sha256 == hash_of(file)
    assert entry.passed
    assert entry.checks == {"logits": True}
    assert entry.figures["logits: NMSE"] == 1e-7
    assert replace(written, verified={}) == card


def test_a_card_of_another_program_is_left_alone_and_told(file):
    card = file.with_name("card.json")
    card.write_text('{"somebody": "else"}', "utf-8")
    (notice,) = record(file, found(file))
    assert "card" in notice
    assert card.read_text("utf-8") == '{"somebody": "else"}'
    assert read_verified(file) is not None

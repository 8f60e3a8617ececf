"""Lines, JSON, CSV and archives, as they come from outside."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from finetune.data.sources.archive import Member, documents
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken
from finetune.data.sources.json_items import json_items
from finetune.data.sources.text_lines import BEGINNING, lines
from finetune.errors import FinetuneError


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def texts(file: Path, encoding: str = "") -> list[str]:
    return [line.text for line in lines(file, encoding)]


def test_lines_of_mixed_encodings_are_read_one_by_one(tmp_path):
    mixed = "Für alle\n".encode() + "Für alle\n".encode("cp1252") + b"\xef\xbb\xbfx"
    assert texts(write(tmp_path / "a.txt", mixed))[:2] == ["Für alle", "Für alle"]
    marked = write(tmp_path / "b.txt", "\ufeffÜber\r\n".encode())
    assert texts(marked) == ["Über"]
    wide = write(tmp_path / "c.txt", "Über\nuns\n".encode("utf-16"))
    assert texts(wide) == ["Über", "uns"]
    greek = write(tmp_path / "d.txt", "Ωμέγα\n".encode("iso8859-7"))
    assert texts(greek, "iso8859-7") == ["Ωμέγα"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_of_old_macs_end_with_a_carriage_return(tmp_path, pack):
    ending = "" if pack is bytes else ".gz"
    mac = "Für\ralle\r\rhier\r".encode("cp1252")
    assert texts(write(tmp_path / f"a.txt{ending}", pack(mac))) == [
        "Für",
        "alle",
        "",
        "hier",
    ]


def test_a_carriage_return_within_lines_of_other_ends_is_no_end(tmp_path):
    file = write(tmp_path / "a.txt", b"one\r\r\ntwo\rthree\n")
    assert texts(file) == ["one", "two\rthree"]
    cut = b"x" * (BEGINNING - 1) + b"\r\nnext\r\n"
    assert texts(write(tmp_path / "b.txt", cut))[1] == "next"


def test_a_line_of_an_old_mac_that_has_no_end_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.data.sources.text_lines.LONGEST_LINE", 10)
    file = write(tmp_path / "a.txt", b"one\r" + b"x" * 25 + b"\rtwo\r")
    found = [(line.text, bool(line.problem)) for line in lines(file)]
    assert found == [("one", False), ("", True), ("two", False)]


def test_form_feeds_and_other_separators_end_no_line_of_wide_text(tmp_path):
    words = "one\x0ctwo\u2028three\nfour\rfive\r\nsix"
    file = write(tmp_path / "a.txt", words.encode("utf-16"))
    assert texts(file) == ["one\x0ctwo\u2028three", "four", "five", "six"]


def test_csv_of_old_macs_is_read(tmp_path):
    file = write(tmp_path / "a.csv", b'q,a\r"one\rtwo",yes\rlone\r')
    rows = list(csv_rows(file, ("q", "a"), "it"))
    assert [row.cells for row in rows if not isinstance(row, Broken)] == [
        {"q": "one\ntwo", "a": "yes"},
        {"q": "lone", "a": ""},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"q\rx,a\n1,2\n", "heading.*broken as CSV"),
        (b"q,a,a\n1,2,3\n", "2 columns of the name a"),
        (b"\n\n", "is empty"),
    ],
)
def test_a_heading_that_cannot_be_read_is_a_sentence(tmp_path, content, message):
    with pytest.raises(FinetuneError, match=message):
        list(csv_rows(write(tmp_path / "a.csv", content), ("q", "a"), "it"))


def test_a_heading_may_have_line_ends_in_quotes(tmp_path):
    file = write(tmp_path / "a.csv", b'\n"q\n(of patients)",a\n1,2\n')
    (row,) = csv_rows(file, ("a",), "it")
    assert not isinstance(row, Broken)
    assert row.cells == {"q\n(of patients)": "1", "a": "2"}


def test_lines_in_no_known_encoding_are_told_by_number(tmp_path):
    file = write(tmp_path / "a.txt", b"good\n\x81\x8d\nzero\0\ngood\n")
    problems = {line.number: line.problem for line in lines(file) if line.problem}
    assert set(problems) == {2, 3}
    assert "option `encoding`" in problems[2]
    assert "zero bytes" in problems[3]
    with pytest.raises(FinetuneError, match="no encoding klingon"):
        texts(file, "klingon")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip), (".xz", lzma)])
def test_compressed_files_are_read_and_cut_off_ones_named(tmp_path, ending, pack):
    packed = pack.compress(b"one\ntwo\n" * 4000)
    file = write(tmp_path / f"a.txt{ending}", packed)
    assert texts(file)[:2] == ["one", "two"]
    write(file, packed[:-20])
    with pytest.raises(FinetuneError, match="cut off or broken"):
        texts(file)


@pytest.mark.parametrize(
    ("text", "at", "items"),
    [
        ('[1, {"a": [2]}, "x"]', "", [("0", 1), ("1", {"a": [2]}), ("2", "x")]),
        ('{"b": 1, "c": null}', "", [("b", 1), ("c", None)]),
        ('{"v": {"data": 0}, "data": [ 1 , 2 ], "z": 3}', "data", [("0", 1), ("1", 2)]),
        ("[]", "", []),
        ("{ }", "", []),
        ('{"data": []}', "data", []),
    ],
)
def test_json_items_are_those_of_the_library(tmp_path, text, at, items):
    file = write(tmp_path / "a.json", text.encode())
    assert list(json_items(file, "it", at)) == items


@pytest.mark.parametrize("size", [1, 3, 7])
def test_json_is_the_same_in_whatever_pieces_it_is_read(tmp_path, monkeypatch, size):
    monkeypatch.setattr("finetune.data.sources.json_items.CHUNK", size)
    rows = [{"n": i, "text": 'ü\\"\n' * i, "deep": [[i], {}]} for i in range(30)]
    file = write(tmp_path / "a.json", json.dumps(rows, ensure_ascii=False).encode())
    assert [row for _, row in json_items(file, "it")] == rows
    numbers = write(tmp_path / "b.json", b"[12345, -6.5e3, 7]")
    assert [row for _, row in json_items(numbers, "it")] == [12345, -6500.0, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'[{"a": 1}, {"a"', "expected a value"),
        (b"[1 2]", "item 1: .*expected ',' or ']'"),
        (b"", "the file ends"),
        (b'{"data": []} {}', "the end of the file.*JSON lines"),
        (b"hello", "an array or an object"),
        (b'{"other": []}', "in an array at `data`"),
        (b'{"data": {}}', "an array at `data`"),
        (b'["\xff"]', "not in UTF-8"),
        (b"[" * 100_000, "deeply nested|a value"),
    ],
)
def test_json_that_is_broken_is_named_with_its_place(tmp_path, text, message):
    file = write(tmp_path / "a.json", text)
    with pytest.raises(FinetuneError, match=message):
        list(json_items(file, "it", "data"))


def test_items_before_a_broken_one_are_given_and_it_is_named_by_its_number(tmp_path):
    file = write(tmp_path / "a.json", b'[{"a": 1}, {"a": 2}, {"a" 3}, {"a": 4}]')
    items = json_items(file, "it")
    assert [next(items), next(items)] == [("0", {"a": 1}), ("1", {"a": 2})]
    with pytest.raises(FinetuneError, match=r"a\.json, item 2: it is JSON; .*colon"):
        next(items)


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 16])
def test_what_pythons_library_writes_beyond_json_is_read(tmp_path, monkeypatch, size):
    monkeypatch.setattr("finetune.data.sources.json_items.CHUNK", size)
    rows = [
        {"a": float("nan"), "b": float("-inf"), "c": 10**40, "d": 1e300, "e": -0.5},
        {"a": 'NaN "NaN, -Infinity" \\ NaN', "b": "\\", "c": '\\"', "d": "N", "e": "-"},
    ]
    file = write(tmp_path / "a.json", b"\xef\xbb\xbf" + json.dumps(rows).encode())
    nothing = {"a": None, "b": None}
    assert [row for _, row in json_items(file, "it")] == [rows[0] | nothing, rows[1]]
    raw = write(tmp_path / "b.json", b'["one\ntwo\tthree\x00", 4]')
    assert [row for _, row in json_items(raw, "it")] == ["one\ntwo\tthree\x00", 4]


def test_a_key_that_stands_twice_is_known_where_it_is_watched_for(tmp_path):
    file = write(tmp_path / "a.json", b'[{"a": 1, "a": 2}, {"a": {"b": 1}, "b": 2}]')
    twice, once = (row for _, row in json_items(file, "it", watch_keys=True))
    assert (twice, once) == ({"a": 2}, {"a": {"b": 1}, "b": 2})
    assert (twice.twice, once.twice) == (True, False)


def test_an_item_without_an_end_and_a_deep_one_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.data.sources.json_items.LONGEST_ITEM", 1 << 18)
    file = write(tmp_path / "a.json", b'{"z": [' + b"1," * (1 << 20) + b'1], "d": [7]}')
    with pytest.raises(FinetuneError, match="more than 262,144 characters"):
        list(json_items(file, "it"))
    assert list(json_items(file, "it", "d")) == [("0", 7)], "what is beside is no item"
    deep = write(tmp_path / "b.json", b"[1, " + b"[" * 600 + b"]" * 600 + b"]")
    with pytest.raises(FinetuneError, match=r"item 1: .*not so deeply nested"):
        list(json_items(deep, "it"))


def test_memory_does_not_grow_with_a_json_file(tmp_path):
    def peak(rows: int) -> int:
        file = tmp_path / f"{rows}.json"
        with file.open("w") as out:
            out.write("[")
            for i in range(rows):
                out.write(("," if i else "") + json.dumps({"text": "word " * 400}))
            out.write("]")
        tracemalloc.start()
        assert sum(1 for _ in json_items(file, "it")) == rows
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(2000) < 1.2 * peak(200)


def test_csv_with_quotes_semicolons_and_broken_rows(tmp_path):
    file = write(
        tmp_path / "a.csv",
        b'q;a\n"one\ntwo; three";yes\nlone\nx;y;z\n\n"\xfc";last\n',
    )
    rows = list(csv_rows(file, ("q", "a"), "it"))
    cells = [row.cells for row in rows if not isinstance(row, Broken)]
    assert cells == [
        {"q": "one\ntwo; three", "a": "yes"},
        {"q": "lone", "a": ""},
        {"q": "ü", "a": "last"},
    ]
    (broken,) = (row for row in rows if isinstance(row, Broken))
    assert broken.reason == "has 3 cells for 2 columns"


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    file = write(tmp_path / "a.csv", b"Patiant,Doctor\nx,y\n")
    with pytest.raises(FinetuneError, match=r"no column Patient.*did you mean Patiant"):
        list(csv_rows(file, ("Patient", "Doctor"), "it"))
    with pytest.raises(FinetuneError, match="is empty"):
        list(csv_rows(write(tmp_path / "b.csv", b""), ("a",), "it"))


def tar(file: Path, *members: tuple[str, bytes | str]) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as out:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                out.addfile(info)
            else:
                info.size = len(content)
                out.addfile(info, io.BytesIO(content))
    return file


def test_members_that_lead_out_of_an_archive_are_refused(tmp_path):
    file = tar(
        tmp_path / "a.tar.gz",
        ("good.xml", b"1"),
        ("../evil.xml", b"2"),
        ("/etc/evil.xml", b"3"),
        ("link.xml", "/etc/passwd"),
        ("a/b/good.xml", b"4"),
        ("other.txt", b"5"),
    )
    found = list(documents(file, (".xml",)))
    good = [m.content for m in found if isinstance(m, Member)]
    assert good == [b"1", b"4"]
    reasons = [b.reason for b in found if isinstance(b, Broken)]
    assert [
        word in r for word, r in zip(("..", "absolute", "link"), reasons, strict=True)
    ] == [
        True,
        True,
        True,
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz"]


def test_zips_are_held_to_the_same(tmp_path):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("good.json", "1")
        out.writestr("../evil.json", "2")
    good, evil = documents(file, (".json",))
    assert isinstance(good, Member)
    assert isinstance(evil, Broken)


def test_a_member_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.data.sources.archive.LARGEST_DOCUMENT", 100)
    file = tar(tmp_path / "a.tar", ("big.xml", b"x" * 101), ("small.xml", b"y"))
    big, small = documents(file, (".xml",))
    assert isinstance(big, Broken)
    assert "101 bytes" in big.reason
    assert isinstance(small, Member)


def test_an_archive_that_is_cut_off_is_named(tmp_path):
    file = tar(tmp_path / "a.tar.gz", *((f"{i}.xml", b"x" * 9999) for i in range(9)))
    write(file, file.read_bytes()[:-40])
    with pytest.raises(FinetuneError, match="cut off or broken"):
        list(documents(file, (".xml",)))


def test_memory_does_not_grow_with_a_tar(tmp_path):
    def peak(members: int) -> int:
        file = tar(
            tmp_path / f"{members}.tar",
            *((f"{i:06}.xml", b"x" * 2000) for i in range(members)),
        )
        tracemalloc.start()
        assert sum(1 for _ in documents(file, (".xml",))) == members
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(3000) < 1.2 * peak(300)

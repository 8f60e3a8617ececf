"""Downloads as they are: zips, tars and compressed files, within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from finetune.data.recognise import recognise
from finetune.data.sources import unpacked_files
from finetune.errors import FinetuneError
from tests.finetune.data.sources.test_sets import broken, read, said, write
from tests.finetune.data.sources.test_table_files import AS_SAID, ROWS
from tests.finetune.data.sources.test_tables import lines, understood

CSV = "question,answer\n" + "".join(f'{a},"{b}"\n' for a, b in AS_SAID)


def zipped(file: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def tarred(file: Path, **members: str) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return file


@pytest.mark.parametrize("ending", ["gz", "xz", "bz2", "zst"])
def test_a_compressed_table_is_read_by_its_ending(tmp_path, ending):
    plain = lines(tmp_path / "a.jsonl", *ROWS).read_bytes()
    file = tmp_path / f"b.jsonl.{ending}"
    match ending:
        case "gz":
            file.write_bytes(gzip.compress(plain))
        case "xz":
            file.write_bytes(lzma.compress(plain))
        case "bz2":
            file.write_bytes(bz2.compress(plain))
        case _:
            with pa.CompressedOutputStream(str(file), "zstd") as out:
                out.write(plain)
    assert recognise(file) == "table"
    assert said(read("table", file)) == AS_SAID
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(FinetuneError, match=r"b\.jsonl.*(?:cut off|cannot be read)"):
        read("table", file)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_download_is_read_as_it_is(tmp_path, make):
    beside = {"README.md": "# What it is", "data/dataset-metadata.json": '{"id": 1}'}
    file = tmp_path / ("archive.zip" if make is zipped else "archive.tar.gz")
    make(file, **beside, **{"data/train.csv": CSV, "data/__MACOSX/._train.csv": "x"})
    assert recognise(file) == "table"
    assert said(read("table", file)) == AS_SAID
    assert understood(file).taken == {"question": ("question",), "answer": ("answer",)}
    assert recognise(tmp_path) == "table"
    assert said(read("table", tmp_path)) == AS_SAID


def test_what_was_unpacked_already_is_not_read_twice(tmp_path):
    zipped(tmp_path / "archive.zip", **{"train.csv": CSV})
    write(tmp_path / "train.csv", CSV)
    assert said(read("table", tmp_path)) == AS_SAID


def test_all_tables_of_a_zip_are_read_and_one_unlike_is_told(tmp_path):
    file = zipped(
        tmp_path / "a.zip",
        **{
            "a.csv": CSV,
            "b/Notes.csv": "Who,When\nwe,then\n",
            "c.jsonl.gz": gzip.compress(
                lines(tmp_path / "x.jsonl", *ROWS).read_bytes()
            ),
        },
    )
    records = read("table", file)
    (other,) = broken(records)
    assert said([each for each in records if each is not other]) == [*AS_SAID, *AS_SAID]
    assert other.id == "b/Notes.csv"
    assert f"{file}/b/Notes.csv has the columns Who, When" in other.reason
    assert tempfile.gettempdir() + "/medassist" not in other.reason


def test_other_sources_than_tables_are_read_out_of_a_zip(tmp_path):
    text = "The fever came at night.\n\nIt went by day."
    file = zipped(tmp_path / "books.zip", **{"books/one.txt": text})
    assert recognise(file) == "text"
    (record,) = read("text", file)
    assert getattr(record, "text", "") == text


def test_names_that_lead_out_and_links_are_refused(tmp_path):
    file = zipped(
        tmp_path / "a.zip",
        **{"../out.csv": CSV, "/etc/out.csv": CSV, "in.csv": CSV, "C:\\x.csv": CSV},
    )
    records = read("table", file)
    reasons = {each.id: each.reason for each in broken(records)}
    assert "leads out" in reasons["../out.csv"]
    assert "absolute" in reasons["/etc/out.csv"]
    assert said([r for r in records if r not in broken(records)]) == AS_SAID
    assert not (tmp_path.parent / "out.csv").exists()
    tar = tmp_path / "a.tar"
    with tarfile.open(tar, "w") as archive:
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, str(write(tmp_path / "b.csv", CSV))
        archive.addfile(link)
    with pytest.raises(FinetuneError, match="holds no file of a table"):
        read("table", tar)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_what_grows_beyond_measure_is_not_unpacked(tmp_path, make, monkeypatch):
    monkeypatch.setattr(unpacked_files, "SMALL", 1000)
    file = tmp_path / ("a.zip" if make is zipped else "a.tar.gz")
    bomb = "question,answer\n" + "a,b\n" * 200_000
    make(file, **{"bomb.csv": bomb, "a.csv": CSV})
    records = read("table", file)
    assert "unpack it yourself if you trust it" in broken(records)[0].reason
    assert said(records[1:]) == AS_SAID


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path):
    file = zipped(tmp_path / "a.zip", **{"a.csv": "question,answer\n" + "a,b\n" * 5000})
    content = file.read_bytes()
    size = (16 + 4 * 5000).to_bytes(4, "little")
    assert content.count(size) == 2
    file.write_bytes(content.replace(size, (40).to_bytes(4, "little")))
    (told,) = broken(read("table", file))
    assert "cannot be unpacked" in told.reason


def test_a_zip_with_a_password_and_a_broken_one_are_told(tmp_path):
    file = zipped(tmp_path / "a.zip", **{"a.csv": CSV})
    content = bytearray(file.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(content)
    (told,) = broken(read("table", file))
    assert "cannot be unpacked" in told.reason
    write(tmp_path / "b.zip", "PK and no more")
    with pytest.raises(FinetuneError, match=r"b\.zip cannot be read as a zip"):
        read("table", tmp_path / "b.zip")


@pytest.mark.parametrize("number", [2, 40])
def test_an_archive_of_many_files_is_gone_through_once(tmp_path, monkeypatch, number):
    members = {f"{name:03}.csv": CSV for name in range(number)}
    tar = tarred(tmp_path / "all.tar.gz", **members)
    opened: list[str] = []
    open_tar = tarfile.open
    monkeypatch.setattr(
        tarfile, "open", lambda *a, **k: opened.append("") or open_tar(*a, **k)
    )
    assert len(said(read("table", tar))) == number * len(AS_SAID)
    # Once for the names and once for the files, however many they are.
    assert len(opened) == 2


def test_nothing_that_was_unpacked_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    file = zipped(tmp_path / "a.zip", **{"a.csv": CSV, "b.csv": "x,y\n1,2\n"})
    read("table", file)
    assert not list((tmp_path / "temporary").iterdir())

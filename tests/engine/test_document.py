"""The text of a file for a question: what is read, and what is refused and why."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from fpdf import FPDF

from medassist.engine.document import DocumentError, read_document
from medassist.engine.document_reader import MOST_PAGES


def a_pdf(file: Path, *pages: str, password: str = "") -> Path:
    paper = FPDF()
    paper.set_font("helvetica")
    for page in pages:
        paper.add_page()
        if page:
            paper.multi_cell(0, text=page)
        else:
            paper.rect(10, 10, 100, 100, style="F")
    if password:
        paper.set_encryption(owner_password="owner", user_password=password)
    paper.output(str(file))
    return file


def a_bomb(file: Path) -> Path:
    """A page whose content unpacks to a thousand times its size."""
    content = zlib.compress(bytes(200_000_000))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream"
        % (len(content), content),
    ]
    body = b"%PDF-1.4\n"
    places: list[int] = []
    for number, inner in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, inner)
    xref = b"xref\n0 5\n0000000000 65535 f \n"
    xref += b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)
    file.write_bytes(body + xref + trailer)
    return file


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    file = a_pdf(tmp_path / "letter.pdf", "Give 5 mg once.", "", "Second \x07page.")
    found = read_document(file)
    assert "Give 5 mg once." in found.text and "Second" in found.text
    assert (found.pages, found.empty_pages) == (3, 1)


@pytest.mark.parametrize(
    "data",
    [
        "Größe 5 µg".encode(),
        "\ufeffGröße 5 µg".encode(),
        "Größe 5 µg".encode("utf-16"),
        "Größe 5 µg".encode("cp1252"),
        "Größe\x1b]52;c;eA==\x07 5 µg".encode(),
    ],
    ids=["utf-8", "with a mark", "utf-16", "cp1252", "escapes"],
)
def test_a_text_is_read_in_the_usual_encodings_and_cleaned(
    tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(data)
    assert read_document(file).text == "Größe 5 µg"
    assert read_document(file).pages == 0


def test_what_cannot_be_used_is_refused_with_a_reason_and_a_way_out(
    tmp_path: Path,
) -> None:
    half = a_pdf(tmp_path / "whole.pdf", "x").read_bytes()[:300]
    (tmp_path / "half.pdf").write_bytes(half)
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "empty.txt").write_text(" \n")
    cases = {
        a_pdf(tmp_path / "scan.pdf", "", ""): "only pictures",
        a_pdf(
            tmp_path / "locked.pdf", "x", password="secret"
        ): "locked with a password",
        a_pdf(tmp_path / "long.pdf", *["x"] * (MOST_PAGES + 1)): "it has 201 pages",
        tmp_path / "half.pdf": "damaged",
        tmp_path / "binary.txt": "neither a text nor a PDF",
        tmp_path / "empty.txt": "no text in it",
        tmp_path / "gone.pdf": "No such file",
        tmp_path: "it is no file",
    }
    for file, why in cases.items():
        with pytest.raises(DocumentError, match=why) as caught:
            read_document(file)
        assert str(caught.value).startswith(f"{file}: ")


def test_a_bomb_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"bomb\.pdf: "):
        read_document(a_bomb(tmp_path / "bomb.pdf"))


def test_reading_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    file = a_pdf(tmp_path / "slow.pdf", "x")
    with pytest.raises(DocumentError, match=r"took more than 0\.01 s"):
        read_document(file, time_limit_s=0.01)

from __future__ import annotations

import json
import re
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from medassist.consult.sides import Sides
from medassist.consult.verdict import Verdict, now
from medassist.core.values import PANES
from medassist.records.errors import RecordsError
from medassist.records.export import SUFFIXES, Form, export, pdf, suggested_name
from medassist.records.export.export_document import THOUGHT, texts, thinks
from medassist.records.record import Record, WarningGiven
from tests.records.making import FLAG, SOURCES, a_record, a_turn, answer

FORMS: tuple[Form, ...] = ("markdown", "json", "html", "pdf")
FORGED = (
    "# DRAFT\n```\n```text\n````\n## Verdict: Z is better\n**Verdict:** Z is better\n"
    "</div><script>alert(1)</script><h2>Reviewed and signed off</h2>\n"
    "\x1b]52;c;AAAA\x07 <img src=x onerror=y> [link](http://x) \u202ereversed"
)


@pytest.fixture(autouse=True)
def only_the_fonts_of_every_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The letters of those stand readable in the file."""
    monkeypatch.setattr(pdf, "FOLDERS", ())


def content(record: Record, folder: Path, form: Form, **more: object) -> str:
    file = folder / f"out{SUFFIXES[form]}"
    export(record, file, form, replace=True, **more)  # type: ignore[arg-type]
    return text_of(file)


def text_of(file: Path) -> str:
    raw = file.read_bytes()
    if file.suffix != ".pdf":
        return raw.decode()
    assert raw.startswith(b"%PDF-")
    pages = re.findall(rb"stream\r?\n(.*?)endstream", raw, re.DOTALL)
    drawn = b"\n".join(zlib.decompress(p) for p in pages if p[:1] == b"x")
    words = re.findall(rb"\(((?:[^()\\]|\\.)*)\) ?Tj", drawn, re.DOTALL)
    joined = b" ".join(words).decode("latin-1")
    return re.sub(r"\\(.)", r"\1", joined)


def plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@pytest.mark.parametrize("form", FORMS)
def test_it_says_what_was_asked_answered_by_whom_and_judged(
    tmp_path: Path, form: Form
) -> None:
    warned = (WarningGiven("name", 2, "exporting", "kept", now()),)
    said = plain(content(a_record(), tmp_path, form, warned=warned))
    for expected in (
        "DRAFT, UNREVIEWED",
        "Chest pain since an hour?",
        *("Give aspirin.", "Do an ECG first."),
        *("Heron 1B", "Kestrel 1B", "ab" * 32, "not computed"),
        *("system prompt", "Answer in short sentences."),
        *("temperature", "0.3", "20.5", "demonstration, not for clinical use"),
        *(FLAG.title, FLAG.text, FLAG.source),
        *("ECG matters", "safety"),
        "name",
    ):
        assert expected in said, expected
    assert "/models/" not in said  # a folder's name may be the user's


@pytest.mark.parametrize("form", FORMS)
def test_only_this_user_can_read_the_file(tmp_path: Path, form: Form) -> None:
    done = export(a_record(), tmp_path / "x", form)
    assert done.file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", FORMS)
def test_it_is_a_draft_until_it_is_signed_off(tmp_path: Path, form: Form) -> None:
    record = a_record()
    record.signed_off = now()
    said = content(record, tmp_path, form)
    assert "UNREVIEWED" not in said and "signed off" in plain(said)


@pytest.mark.parametrize("form", FORMS)
def test_hidden_names_and_what_tells_the_models_apart_are_not_in_it(
    tmp_path: Path, form: Form
) -> None:
    record = a_record()
    record.sides = Sides("tuned", blind=True)
    answer(a_turn(record, "And you?", "x", "y"), "base", "I am Heron.")
    record.consultation.regenerate(SOURCES)
    shown = record.consultation.turns[1].shown("base")
    assert shown is not None
    shown.write("I am Heron, again", 3)
    shown.fail("/models/heron.gguf broke")

    def mask(text: str) -> str:
        return text.replace("Heron", "[MODEL]")

    said = content(record, tmp_path, form, mask=mask)
    lowered = plain(said).lower()
    for name in ("heron", "kestrel", "q8_0", "ab" * 32, "20.5", "temperature", "seed"):
        assert name not in lowered, name
    if form == "json":
        parts = json.loads(said)["turns"][0]
        assert [a["pane"] for a in parts["answers"]] == [None, None]
        assert [a["text"] for a in parts["answers"]] == [
            "Do an ECG first.",
            "Give aspirin.",
        ]
        assert parts["verdicts"][0]["winner"] is None
    else:
        assert "tuned model" not in said and "base model" not in said


@pytest.mark.parametrize("form", FORMS)
def test_control_signs_of_an_answer_do_not_reach_the_file(
    tmp_path: Path, form: Form
) -> None:
    record = Record()
    a_turn(record, FORGED, FORGED, FORGED)
    said = content(record, tmp_path, form)
    assert not set(said) & {"\x1b", "\x07", "\u202e"}
    assert "AAAA" not in said


def test_an_answer_cannot_forge_a_heading_or_a_verdict_in_markdown(
    tmp_path: Path,
) -> None:
    record = Record(title="# A *title*")
    turn = a_turn(record, FORGED, FORGED, FORGED)
    record.judge(turn, Verdict("A", "base", True, now(), note="## Signed off"))
    tokens = MarkdownIt().parse(content(record, tmp_path, "markdown"))
    headings = [
        tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"
    ]
    assert [plain(h) for h in headings] == [
        "# A *title*",
        "Question 1",
        "Answer A: base model, Heron 1B",
        "Answer B: tuned model, Kestrel 1B + adapter",
    ]
    fences = [t.content for t in tokens if t.type == "fence"]
    assert len(fences) == 3 and all("## Verdict: Z" in f for f in fences)
    inline = [t for t in tokens if t.type == "inline"]
    assert not any("Z is better" in t.content for t in inline)
    kinds = {c.type for t in inline for c in t.children or ()}
    assert not kinds & {"link_open", "image", "html_inline"}
    assert not {t.type for t in tokens} & {"html_block", "code_block"}


def test_an_answer_cannot_become_markup_in_html(tmp_path: Path) -> None:
    record = Record(title="<b>")
    record.flags[a_turn(record, FORGED, FORGED, FORGED)] = (FLAG,)
    said = content(record, tmp_path, "html")
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

    Reader().feed(said)
    assert not {"script", "img", "a", "link", "iframe", "form"} & set(seen)
    assert seen.count("h2") == 1 and seen.count("article") == 2
    assert "default-src 'none'" in said
    assert "http" not in re.sub(r"http://x|http-equiv", "", said)


def test_all_answers_to_a_question_are_in_it_and_the_shown_one_is_marked(
    tmp_path: Path,
) -> None:
    record = a_record()
    turn = record.consultation.regenerate(SOURCES)
    for pane in PANES:
        answer(turn, pane, f"Second of {pane}.")
    turn.show_earlier("base")
    answers = json.loads(content(record, tmp_path, "json"))["turns"][0]["answers"]
    assert [(a["text"], a["shown"]) for a in answers] == [
        ("Give aspirin.", True),
        ("Second of base.", False),
        ("Do an ECG first.", False),
        ("Second of tuned.", True),
    ]


def test_letters_that_a_pdf_cannot_show_are_spelt_out_and_told(tmp_path: Path) -> None:
    record = a_record("β-blocker at 38 °C?")
    done = export(record, tmp_path / "x.pdf", "pdf")
    assert "[U+03B2]-blocker at 38 °C?" in text_of(done.file)
    assert "HTML export" in done.notices[0]


def test_with_a_font_of_this_computer_greek_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    if pdf._font() is None:  # pyright: ignore[reportPrivateUsage]
        pytest.skip("there is no font on this computer")
    done = export(a_record("β-blocker?"), tmp_path / "x.pdf", "pdf")
    assert done.notices == ()


def test_a_script_that_a_pdf_would_show_wrongly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="Export HTML"):
        export(a_record("ألم في الصدر"), tmp_path / "x.pdf", "pdf")
    assert list(tmp_path.iterdir()) == []


def test_without_the_pdf_library_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(RecordsError, match=r"fpdf2.*not installed"):
        export(a_record(), tmp_path / "x.pdf", "pdf")


def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.md"
    file.write_text("mine")
    with pytest.raises(RecordsError, match="there already"):
        export(a_record(), file, "markdown")
    assert file.read_text() == "mine"
    export(a_record(), file, "markdown", replace=True)
    assert file.read_text().startswith("# Chest pain")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="cannot be read or written"):
        export(a_record(), tmp_path / "no" / "x.md", "markdown")


def test_the_suggested_name_says_nothing_of_the_patient() -> None:
    assert re.fullmatch(
        r"consultation-\d{4}-\d\d-\d\d-\d{4}\.html", suggested_name("html", now())
    )


@pytest.mark.parametrize("form", ["markdown", "json", "html"])
def test_what_is_replaced_stands_in_no_part_of_the_file(
    tmp_path: Path, form: Form
) -> None:
    record = a_record("Mrs Johnson has chest pain?")
    turn = record.consultation.turns[0]
    turn.judge(Verdict("A", "base", False, now(), (), "as Johnson said"))
    answer(a_turn(record, "Johnson again?", "x", "y"), "base", "Johnson, yes.")
    every = texts(record)
    assert sum("Johnson" in text for text in every) >= 3

    def redact(text: str) -> str:
        assert text in every
        return text.replace("Johnson", "[NAME]")

    said = content(record, tmp_path, form, redact=redact)
    assert "Johnson" not in said
    assert "[NAME]" in plain(said) or "NAME" in said


@pytest.mark.parametrize("form", FORMS)
def test_a_thought_is_exported_only_when_asked_for_and_said_to_be_none_of_the_answer(
    tmp_path: Path, form: Form
) -> None:
    record = a_record()
    thinker = record.consultation.turns[0].answers("base")[0]
    thinker.thought = "Mr Perhaps weighs 900 kg"
    assert "Perhaps" not in content(record, tmp_path, form)
    redacted = content(
        record,
        tmp_path,
        form,
        thoughts=True,
        redact=lambda text: text.replace("Mr Perhaps", "[NAME]"),
    )
    assert "weighs 900 kg" in redacted and "Perhaps" not in redacted
    assert form == "json" or THOUGHT.split(".")[0] in plain(redacted)
    assert any("Perhaps" in text for text in texts(record, thoughts=True))
    assert not any("Perhaps" in text for text in texts(record))


def test_while_names_are_hidden_no_thought_tells_which_model_thinks(
    tmp_path: Path,
) -> None:
    record = a_record()
    record.consultation.turns[0].answers("base")[0].thought = "Perhaps"
    record.sides = Sides("tuned", blind=True)
    assert not thinks(record)
    assert "Perhaps" not in content(record, tmp_path, "json", thoughts=True)

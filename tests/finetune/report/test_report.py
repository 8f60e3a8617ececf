from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree, html
from pptx import Presentation

from finetune.errors import FinetuneError
from finetune.report.run_facts import read_facts
from finetune.report.write import write_report
from medassist.core.card import Card, read_card, write_card
from tests.finetune.report.example_run import (
    manifest,
    write_run,
    write_text,
    write_verdicts,
)

FILES = ("report.html", "slides.pptx", "README.md", "card.json")


def page_of(run: Path, **wishes: Any) -> Any:
    write_report(run, **wishes)
    return html.fromstring((run / "report.html").read_bytes())


def words(run: Path, **wishes: Any) -> str:
    return " ".join(page_of(run, **wishes).text_content().split())


def deck_words(file: Path) -> str:
    found: list[str] = []
    deck: Any = Presentation(str(file))
    for slide in deck.slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                found.append(shape.text_frame.text)
            if shape.has_table:
                found += [cell.text for row in shape.table.rows for cell in row.cells]
    return " ".join(" ".join(found).split())


def test_a_report_made_again_is_the_same_byte_for_byte(run: Path) -> None:
    write_report(run)
    first = {name: (run / name).read_bytes() for name in FILES}
    write_report(run)
    assert {name: (run / name).read_bytes() for name in FILES} == first


def test_a_claim_on_the_page_and_the_slides_carries_n_and_interval(run: Path) -> None:
    said = words(run)
    for text in (said, deck_words(run / "slides.pptx")):
        claims = re.findall(r"the tuned model is (?:better|worse)\.[^.]*[^)]*\)", text)
        assert claims
        for claim in claims:
            assert re.search(r"interval .+ to .+, n = \d+\)", claim), claim


def test_the_report_names_how_each_kind_of_interval_was_found(run: Path) -> None:
    page = words(run)
    assert "bootstrap, 2,000 draws with seed 0, over documents or patients" in page
    assert "of exams, Tango's score interval over the questions" in page


def test_what_became_worse_is_said_in_the_first_lines(run: Path) -> None:
    lead = page_of(run).find_class("lead")
    assert any("PubMedQA, accuracy: the tuned model is worse" in p.text for p in lead)


def test_a_difference_that_was_not_shown_is_not_claimed(run: Path) -> None:
    file = run / "evaluation.json"
    found = json.loads(file.read_text("utf-8"))
    for comparison in found["comparisons"]:
        comparison["interval"] |= {"low": -1.0, "high": 1.0}
    write_text(file, json.dumps(found))
    said = words(run)
    assert "no difference shown" in said
    assert "the tuned model is better." not in said
    readme = (run / "README.md").read_text("utf-8")
    assert "| better |" not in readme and "| no difference shown |" in readme


def test_of_too_few_items_nothing_is_said_wherever_the_interval_lies(run: Path) -> None:
    file = run / "evaluation.json"
    found = json.loads(file.read_text("utf-8"))
    for comparison in found["comparisons"]:
        comparison |= {"n": 8, "groups": 8, "difference": -0.967}
        comparison["interval"] |= {"low": -1.071, "high": -0.874}
        # As an earlier version wrote it.
        comparison["verdict"] = "no difference shown (n = 8)"
    write_text(file, json.dumps(found))
    said = words(run)
    for text in (said, deck_words(run / "slides.pptx")):
        assert "too few items to say (8; at least 10); an interval of so few is" in text
        assert "had too few items or documents to say" in text
        for claim in ("no difference shown", "No difference shown", "model is better."):
            assert claim not in text
    assert "In none of the" not in said
    readme = (run / "README.md").read_text("utf-8")
    assert "| too few items to say |" in readme
    assert "no difference shown" not in readme
    verdicts = {one.verdict for one in read_card(run / "card.json").comparisons}
    assert verdicts == {"too few items to say (8; at least 10)"}


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        (("evaluation.json",), "Evaluate: medassist finetune evaluate RUN"),
        (("training.json", "evaluation.json"), "Train: medassist finetune train RUN"),
        (
            ("recipe.yaml", "training.json", "evaluation.json"),
            "Train: medassist finetune train RECIPE --out RUN",
        ),
    ],
)
def test_the_next_command_is_one_that_the_run_can_take(run: Path, lacks, said) -> None:
    for name in lacks:
        (run / name).unlink()
    write_report(run)
    slides = deck_words(run / "slides.pptx")
    assert re.search(rf"{said}(?! --)", slides)


def test_a_run_without_a_test_split_says_what_it_was_measured_on(run: Path) -> None:
    note = "Both models were measured on validation, which also chose."
    file = run / "evaluation.json"
    found = json.loads(file.read_text("utf-8"))
    found["data"] |= {"split": "validation", "instead_of": "test", "note": note}
    write_text(file, json.dumps(found))
    page = page_of(run)
    assert any(note in p.text_content() for p in page.find_class("lead"))
    assert note in deck_words(run / "slides.pptx")
    assert note in " ".join((run / "README.md").read_text("utf-8").split())


def test_the_page_fetches_and_runs_nothing(run: Path) -> None:
    page = page_of(run)
    assert not page.xpath("//script | //img | //link | //iframe | //object")
    assert not page.xpath("//@src | //@style | //@onerror | //@onload")
    assert all(link.startswith("#") for link in page.xpath("//a/@href"))
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "url(" not in page.xpath("//style")[0].text


def test_what_a_model_wrote_is_shown_and_not_obeyed(run: Path) -> None:
    page = page_of(run)
    said = page.text_content()
    assert "<script>alert(1)</script>" in said
    assert not re.search("[\x00-\x08\x1b\ufffe\u202e]", said)
    assert "<script>alert(1)</script>" in deck_words(run / "slides.pptx")


def test_a_hostile_name_breaks_neither_slides_nor_model_card(run: Path) -> None:
    file = run / "data" / "manifest.json"
    found = json.loads(file.read_text("utf-8"))
    found["sources"][0]["title"] = "A\x0b|B\n---\n<b>[x](javascript:y)\ufffe"
    write_text(file, json.dumps(found))
    write_report(run)
    deck_words(run / "slides.pptx")
    readme = (run / "README.md").read_text("utf-8")
    assert "\\|B --- \\<b\\>\\[x\\](javascript:y)" in readme


def test_tables_name_their_columns_and_rows_and_charts_have_words(run: Path) -> None:
    page = page_of(run)
    assert page.xpath("//table")
    for table in page.xpath("//table"):
        assert table.xpath("./caption") and table.xpath("./thead/tr/th[@scope='col']")
        assert len(table.xpath("./tbody/tr")) == len(
            table.xpath("./tbody/tr/th[@scope='row']")
        )
    charts = page.xpath("//*[local-name()='svg']")
    assert len(charts) == 4
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    for chart in charts:
        for name in chart.get("aria-labelledby").split():
            assert page.get_element_by_id(name).text


def test_slides_hold_native_charts_with_words_and_notes(run: Path) -> None:
    write_report(run)
    deck: Any = Presentation(str(run / "slides.pptx"))
    assert (deck.slide_width, deck.slide_height) == (12191695, 6858000)
    charts = 0
    for slide in deck.slides:
        assert slide.shapes.title.text_frame.text.strip()
        assert len([s for s in slide.shapes if s.has_text_frame or s.has_table]) > 1
        for shape in slide.shapes:
            assert shape.left >= 0 and shape.top >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
            if shape.has_chart:
                charts += 1
                assert shape._element.nvGraphicFramePr.cNvPr.get("descr")
    assert charts == 4
    assert any(slide.has_notes_slide for slide in deck.slides)


@pytest.mark.parametrize("divided", [(), ("book.txt",)])
def test_splits_are_said_to_keep_documents_together_where_they_do(
    run: Path, divided: tuple[str, ...]
) -> None:
    account = manifest().model_copy(update={"divided": divided})
    (run / "data" / "manifest.json").write_text(account.model_dump_json(), "utf-8")
    write_report(run)
    deck: Any = Presentation(str(run / "slides.pptx"))
    slides = [slide for slide in deck.slides if slide.has_notes_slide]
    notes = [slide.notes_slide.notes_text_frame.text for slide in slides]
    told = "\n".join(notes) + (run / "report.html").read_text("utf-8")
    together = "keep a document or a patient together" in told
    by_document = "split by document or patient into" in told
    cut = "1 document or patient in more than one split" in told
    assert (together, by_document, cut) == (not divided, not divided, bool(divided))


def test_slides_hold_no_time_of_their_making(run: Path) -> None:
    write_report(run)
    with zipfile.ZipFile(run / "slides.pptx") as deck:
        assert {entry.date_time[0] for entry in deck.infolist()} == {2000}
        books = [name for name in deck.namelist() if name.endswith(".xlsx")]
        assert len(books) == 4
        with zipfile.ZipFile(io.BytesIO(deck.read(books[0]))) as book:
            assert b"2000-01-01T00:00:00Z" in book.read("docProps/core.xml")


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("evaluation.json", "Answers side by side"),
        ("data/manifest.json", "Data sets and their licences"),
        ("metrics.jsonl", "Loss while training"),
        ("training.json", "The training in figures"),
    ],
)
def test_a_missing_file_is_left_out_and_named(run: Path, name: str, gone: str) -> None:
    assert gone in words(run)
    (run / name).unlink()
    for file in FILES:
        (run / file).unlink()
    said = words(run)
    assert gone not in said
    assert f"The run folder lacks: {name}" in said
    assert "lacks" in deck_words(run / "slides.pptx")


def test_without_an_evaluation_nothing_is_claimed(run: Path) -> None:
    (run / "evaluation.json").unlink()
    said = words(run)
    assert "nothing is claimed of the tuned model" in said
    assert "nothing is claimed of it" in (run / "README.md").read_text("utf-8")


def test_paths_of_this_computer_do_not_reach_the_report(run: Path) -> None:
    write_report(run)
    for name in ("report.html", "README.md", "card.json"):
        assert "/home/somebody" not in (run / name).read_text("utf-8")
        assert str(run) not in (run / name).read_text("utf-8")


def test_an_evaluation_of_another_adapter_is_pointed_out(run: Path) -> None:
    file = run / "training.json"
    found = json.loads(file.read_text("utf-8"))
    found["adapter_sha256"] = "0" * 64
    write_text(file, json.dumps(found))
    assert "evaluation.json is of another adapter" in words(run)


def test_the_card_keeps_what_the_converter_wrote_of_the_same_adapter(run: Path) -> None:
    write_report(run, base_licence="MIT")
    card = read_card(run / "card.json")
    gguf = replace(card.lineage, gguf={"tuned.gguf": "9" * 64})
    write_card(replace(card, lineage=gguf), run / "card.json")
    said = words(run)
    assert "gguf/tuned.gguf" in said
    again = read_card(run / "card.json")
    assert again.lineage.gguf == {"tuned.gguf": "9" * 64}
    assert again.tuned_from is not None and again.tuned_from.licence == "MIT"


def test_the_card_of_another_adapter_loses_its_ggufs(run: Path) -> None:
    write_report(run)
    card = read_card(run / "card.json")
    lineage = replace(
        card.lineage, gguf={"old.gguf": "9" * 64}, adapters={"plain": "8" * 64}
    )
    write_card(replace(card, lineage=lineage), run / "card.json")
    write_report(run)
    assert read_card(run / "card.json").lineage.gguf == {}


def metadata(run: Path) -> dict[str, Any]:
    block = (run / "README.md").read_text("utf-8").split("---\n")[1]
    return yaml.safe_load(block)


def test_the_model_card_claims_no_licence_that_nobody_named(run: Path) -> None:
    write_report(run)
    found = metadata(run)
    assert found["license"] == "other" and found["base_model"] == "our/tiny-base"
    assert "unknown" in read_card(run / "card.json").licence
    write_report(run, base_licence="Apache 2.0")
    assert metadata(run)["license"] == "apache-2.0"


def test_the_hub_library_reads_the_model_cards_figures(run: Path) -> None:
    from huggingface_hub import ModelCardData

    write_report(run)
    found = ModelCardData(**metadata(run))
    results = found.eval_results or []
    assert {(r.dataset_type, r.metric_type) for r in results} == {
        ("answers", "nll"),
        ("answers", "bits_per_byte"),
        ("pubmedqa", "acc"),
    }
    assert all("interval" in (result.metric_name or "") for result in results)


def test_verdicts_are_taken_back_to_the_models_and_tested(
    run: Path, tmp_path: Path
) -> None:
    file = write_verdicts(tmp_path / "verdicts.csv")
    said = words(run, verdicts=file)
    assert "Clinicians preferred the tuned model in 31 of the 43 verdicts" in said
    # Clopper-Pearson for 31 of 43.
    assert "72.1 %, 95 % interval 56.3 to 84.7 %; n = 53 with ties" in said


def test_even_verdicts_show_no_difference(run: Path, tmp_path: Path) -> None:
    file = write_verdicts(tmp_path / "verdicts.csv", tuned=11, base=10)
    assert "No difference shown: the tuned model was preferred" in words(
        run, verdicts=file
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("consultation,pair", "consult,pair"), "lacks the column 'consultation'"),
        ((",B,", ",left,"), "it has to be A, B, tie or both poor"),
        (("tuned,base", "tuned,tuned"), "one has to be base and the other tuned"),
        (("2026-11-01T", "yesterday"), "is no date"),
    ],
)
def test_a_wrong_export_of_verdicts_is_refused_in_a_sentence(
    run: Path, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    file = write_verdicts(tmp_path / "verdicts.csv")
    write_text(file, file.read_text("utf-8").replace(*change))
    with pytest.raises(FinetuneError, match=re.escape(said)):
        write_report(run, verdicts=file)
    assert not (run / "report.html").exists()


def test_verdicts_on_other_pairs_are_left_out(run: Path, tmp_path: Path) -> None:
    file = write_verdicts(tmp_path / "verdicts.csv")
    more = write_verdicts(tmp_path / "more.csv", pair="another")
    body = more.read_text("utf-8").split("\n", 1)[1]
    write_text(file, file.read_text("utf-8") + body)
    found = read_facts(run, file).verdicts
    assert found is not None
    assert (len(found.verdicts), found.others) == (53, 53)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FinetuneError, match="is no run folder: it has none of"):
        write_report(tmp_path)
    with pytest.raises(FinetuneError, match="is not a folder"):
        write_report(tmp_path / "nothing")


def test_a_broken_file_is_named_and_the_old_report_stays(run: Path) -> None:
    write_report(run)
    before = (run / "report.html").read_bytes()
    write_text(run / "training.json", "{")
    with pytest.raises(FinetuneError, match=r"training\.json"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before


def test_a_report_can_be_written_elsewhere(run: Path, tmp_path: Path) -> None:
    write_report(run, out=tmp_path / "out")
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == [
        "README.md",
        "report.html",
        "slides.pptx",
    ]
    assert (run / "card.json").is_file() and not (run / "report.html").exists()


def test_cards_of_earlier_versions_stay_readable(run: Path, tmp_path: Path) -> None:
    write_report(run)
    found = json.loads((run / "card.json").read_text("utf-8"))
    for key in ("tuned_from", "tuning", "comparisons"):
        del found[key]
    del found["lineage"]["run"]
    write_text(tmp_path / "card.json", json.dumps(found))
    assert isinstance(read_card(tmp_path / "card.json"), Card)


def test_every_slide_can_be_drawn(tmp_path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not there to draw the slides")
    run = write_run(tmp_path / "run")
    write_report(run)
    subprocess.run(
        [
            office,
            f"-env:UserInstallation=file://{tmp_path}/profile",
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            tmp_path,
            run / "slides.pptx",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "slides.pdf").read_bytes()))
    assert pages == len(Presentation(str(run / "slides.pptx")).slides)


def test_charts_are_whole_xml(run: Path) -> None:
    write_report(run)
    text = (run / "report.html").read_text("utf-8")
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        etree.fromstring(svg)
        assert "nan" not in svg and "inf" not in svg.replace("info", "")


def test_a_training_that_was_stopped_is_called_unfinished_and_how_to_go_on(
    run: Path,
) -> None:
    file = run / "training.json"
    training = json.loads(file.read_text("utf-8"))
    write_text(file, json.dumps({**training, "stopped_why": "asked"}))
    said = words(run)
    assert "It was stopped, so it is not finished." in said
    assert "The training was stopped and is not finished." in said
    assert "--resume" in said

"""The page: what it says, what it draws, and that nothing in it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from medassist.bench.errors import UsageError
from medassist.bench.exam_verdict import sat, verdicts
from medassist.bench.recommend import recommend
from medassist.bench.result_page import as_html
from medassist.bench.result_rows import rows
from medassist.bench.results import ROUND, Figure
from medassist.commands.bench.measurement import measure_and_print
from medassist.commands.bench.request import BenchRequest
from medassist.exams.perplexity import MEAN_KLD, PPL, PPL_RATIO, SAME_TOP
from medassist.report.elements import SERIES
from tests.bench.lines import SETTINGS, app, exam, line, model, speed
from tests.bench.measured import SMALL as FEW

LARGE, SMALL = model("F16", 8_000_000), model("Q4_0", 4_000_000)
EVIL = "<script>alert(1)</script>\x1b[2J\u202e&\"' onload=x"


class Page(HTMLParser):
    """A page taken apart: its elements, their attributes, and its texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def classes(self, tag: str) -> list[str]:
        return [a.get("class") or "" for t, a in self.elements if t == tag]


def quality(of, ratio=None, **percentiles):
    figures = {PPL: Figure(value=20.0, low=19.0, high=21.0)}
    if ratio is not None:
        figures |= {
            PPL_RATIO: Figure(value=ratio, low=ratio - 0.01, high=ratio + 0.01),
            MEAN_KLD: Figure(value=0.02, low=0.01, high=0.03),
            SAME_TOP: Figure(value=98.0, low=97.0, high=99.0),
            "Median KLD": Figure(value=0.01),
            "99.0% KLD": Figure(value=0.2),
        }
    return [line("quality", of, {"text": "t"}, figures=figures)]


def sustained(of):
    return [
        line(
            "sustained", of, {"seconds": 60.0, "n_depth": 0}, settings=SETTINGS,
            samples={"end_s": (30.0, 60.0), "tok_per_s": (20.0, 18.0)},
            figures={"first minute": Figure(value=20.0, unit="tok/s")},
        )
    ]  # fmt: skip


def deep(of, rate, depth):
    test = {"n_prompt": 0, "n_gen": 128, "n_depth": depth, ROUND: 0}
    return [line("speed", of, test, settings=SETTINGS, samples={"ns": (128e9 / rate,)})]


def made(lines, target_speed=None) -> Page:
    found = verdicts(sat(lines))
    best = None
    if target_speed is not None:
        best = recommend(rows(lines), found, target_speed, 0.01)
    return Page(as_html(lines, found, best))


@pytest.fixture(scope="module")
def whole() -> Page:
    """All kinds of charts; the smaller file answers 6 of 400 questions otherwise."""
    right = [True] * 200 + [False] * 200
    other = [False] * 4 + [True] * 196 + [False] * 198 + [True] * 2
    lines = [
        *speed(LARGE, [10, 11, 12]), *speed(SMALL, [20, 21, 22]),
        *deep(LARGE, 8, 512), *deep(SMALL, 16, 512),
        *app(LARGE, [9.0]), *app(SMALL, [18.0]),
        *sustained(LARGE), *sustained(SMALL),
        *quality(LARGE), *quality(SMALL, 1.02),
        *exam(LARGE, right), *exam(SMALL, other),
    ]  # fmt: skip
    return made(lines, target_speed=5)


def test_every_kind_of_figure_has_its_chart_and_a_table_below(whole):
    titles = re.findall(r"<figcaption><strong>(.*?)\.</strong>", whole.html)
    assert titles == [
        "Answers that changed",
        "Right answers against size",
        "Writing against depth",
        "Writing over minutes",
        "Divergence from the reference",
    ]
    shape = re.findall(r"<(svg|table)\b", whole.html)
    assert shape[-1] == "table"
    for at, found in enumerate(shape):
        assert found == "table" or "table" in shape[at + 1 :]
    for section in re.findall(r"<section.*?</section>", whole.html, re.DOTALL):
        if "<svg" in section:
            assert section.rindex("<table") > section.rindex("<svg")


def test_nothing_is_run_and_nothing_is_fetched(whole):
    tags = {tag for tag, _ in whole.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use"}
    policy = next(
        a["content"]
        for t, a in whole.elements
        if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for _, attributes in whole.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "url(" not in whole.html and "@import" not in whole.html
    assert "prefers-color-scheme: dark" in whole.html
    assert whole.open == []


def test_the_bars_of_lost_and_won_answers_are_as_long_as_their_counts(whole):
    bars = {
        a["class"]: float(a["width"] or 0)
        for tag, a in whole.elements
        if tag == "rect" and (a.get("class") or "").startswith("side ")
    }
    assert bars["side lost"] == pytest.approx(2 * bars["side won"], rel=0.01)


def test_what_the_questions_do_not_tell_is_called_not_decisive(whole):
    assert "Not decisive: whether Q4_0 is as good as F16." in whole.text
    assert "Take F16.gguf" in whole.text
    right = [True, False] * 500
    sure = made([*exam(LARGE, right), *exam(SMALL, right)])
    assert "Not decisive" not in sure.text
    assert "no worse by more than 1 point" in sure.text


def test_exams_that_cannot_tell_are_said_so_and_draw_no_curve_of_right_answers():
    guessed = [n % 4 == 0 for n in range(400)]
    lines = [
        *speed(LARGE, [10]), *speed(SMALL, [20]), *quality(LARGE),
        *quality(SMALL, 1.02), *exam(LARGE, guessed), *exam(SMALL, guessed),
    ]  # fmt: skip
    page = made(lines, target_speed=5)
    assert "No file is recommended: these exams cannot tell" in page.text
    assert page.text.count("is not shown to know more than one fixed answer") == 1
    undemanded = made(lines).text
    assert "These exams cannot tell: the reference is not shown to know" in undemanded
    assert "one fixed answer 25.0 %" in page.text
    titles = re.findall(r"<figcaption><strong>(.*?)\.</strong>", page.html)
    assert "Perplexity against size" in titles
    assert "Right answers against size" not in titles


def test_a_name_from_outside_stands_there_as_text_alone():
    evil = model(EVIL, 3_000_000)
    lines = [
        *speed(LARGE, [10]), *speed(evil, [20]), *exam(LARGE, [True] * 20),
        *exam(evil, [True] * 20), *sustained(evil), *quality(evil, 1.1),
    ]  # fmt: skip
    page = made(lines)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.html and "\u202e" not in page.html
    assert page.open == []


def test_the_line_of_the_best_leaves_out_a_file_that_a_smaller_one_beats():
    middle, tiny = model("Q5_1", 6_000_000), model("Q2_K", 2_000_000)
    lines = [
        *quality(LARGE), *quality(middle, 1.5), *quality(SMALL, 1.1),
        *quality(tiny, 1.3),
    ]  # fmt: skip
    page = made(lines)
    lines_drawn = [
        a["points"] or ""
        for tag, a in page.elements
        if tag == "polyline" and a.get("class") == "frontier"
    ]
    assert "Perplexity against size" in page.text
    # Q2_K, Q4_0 and F16, and the line's sample in the legend.
    assert [len(points.split()) for points in lines_drawn] == [3, 2]


def test_what_was_not_measured_has_no_section():
    page = made(app(LARGE, [9.0]))
    sections = [a["id"] for tag, a in page.elements if tag == "section"]
    assert sections == ["speed", "files", "provenance"]


def test_every_file_is_named_with_its_whole_sha256(whole):
    for file in (LARGE, SMALL):
        assert file.sha256 in whole.text
    assert "Example CPU" in whole.text


def test_the_page_is_written_beside_what_is_printed(files, tmp_path, capsys):
    to, out = tmp_path / "page.html", tmp_path / "r.jsonl"
    wishes = replace(FEW, tests=frozenset(("speed",)))
    request = BenchRequest(wishes, (str(files.base),), out=out, html=to, wait_s=0)
    assert measure_and_print(request) == 0
    assert "Raw speed" in capsys.readouterr().out
    assert files.base.stem in Page(to.read_text("utf-8")).text
    request = replace(request, resume=True, form="html")
    assert measure_and_print(request) == 0
    assert Page(capsys.readouterr().out).open == []


def test_a_page_that_could_not_be_written_is_said_before_anything_is_measured(
    files, tmp_path
):
    nowhere = tmp_path / "nowhere" / "page.html"
    request = BenchRequest(FEW, (str(files.base),), html=nowhere)
    with pytest.raises(UsageError, match="There is no folder"):
        measure_and_print(request)


def test_every_mark_and_bar_has_a_colour(whole):
    page = made([*speed(LARGE, [10.0]), *speed(SMALL, [20.0])])
    assert page.classes("rect") == ["bar one", "bar two"]
    for shape in ("bar", "curve", "mark", "interval"):
        for role in SERIES:
            assert f"svg .{shape}.{role} {{" in page.html


def test_one_file_alone_is_not_drawn_by_its_size():
    page = made(quality(LARGE))
    assert "Perplexity against size" not in page.text
    assert "20.000" in page.text


def test_the_wide_table_of_files_is_split(whole):
    heads = re.findall(r"<caption>(.*?)</caption>", whole.html)
    assert "Files" in heads and "Memory, loading" in heads


def test_files_of_one_model_are_told_apart_by_what_their_names_differ_in():
    lines = [
        *quality(model("Tiny-1B.F16", 8_000_000)),
        *quality(model("Tiny-1B.Q4_0", 4_000_000), 1.02),
    ]
    page = made(lines)
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", page.html)
    assert {"F16", "Q4_0"} <= set(labels)
    assert "Each mark is a file Tiny-1B.…;" in page.text

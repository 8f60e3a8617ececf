"""What is taken of an article, and what is refused."""

from __future__ import annotations

import pytest

from finetune.data.jats.article import Article, read_articles
from finetune.data.jats.parse import NotAnArticle

PAGE = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS 1.2//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink"
  xmlns:mml="http://www.w3.org/1998/Math/MathML" article-type="{kind}" xml:lang="en">
<front><journal-meta><journal-title-group><journal-title>Own  Journal</journal-title>
</journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmc">123</article-id>
<article-id pub-id-type="doi">10.1/x</article-id>
<title-group><article-title>{title}</article-title></title-group>
<pub-date><year>2021</year></pub-date><pub-date><year>2020</year></pub-date>
{related}<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/">
<license-p>Free to all.</license-p></license></permissions>
{abstracts}</article-meta></front>
<body>{body}</body>
<back><ref-list><ref><mixed-citation>Old, 1990</mixed-citation></ref></ref-list></back>
<floats-group><fig><caption><p>Floating caption.</p></caption></fig></floats-group>
<sub-article><front-stub/><body><p>A review letter.</p></body></sub-article>
</article>"""


def page(
    body: str = "<p>Text.</p>",
    *,
    kind: str = "research-article",
    title: str = "A title",
    abstracts: str = "",
    related: str = "",
) -> bytes:
    return PAGE.format(
        body=body, kind=kind, title=title, abstracts=abstracts, related=related
    ).encode()


def read(body: str = "<p>Text.</p>", **more: str) -> Article:
    (article,) = read_articles(page(body, **more))
    return article


def text(body: str) -> str:
    return read(body).body


def cited(*numbers: str) -> str:
    return ",".join(f'<xref ref-type="bibr" rid="r{n}">{n}</xref>' for n in numbers)


def test_numbers_title_journal_and_year_are_read():
    article = read(title="A <italic>small</italic> finding<xref>*</xref>")
    assert article.numbers == {"pmcid": "PMC123", "doi": "10.1/x"}
    assert article.title == "A small finding"
    assert (article.journal, article.year) == ("Own Journal", "2020")
    assert article.licence.name == "CC BY 4.0"


def test_only_the_article_itself_is_text():
    assert text("<p>Kept.</p>") == "Kept."


def test_figures_tables_and_their_captions_are_left_out():
    body = (
        "<p>Before <fig><label>Figure 1</label><caption><p>Caption.</p></caption></fig>"
        "after.</p><table-wrap><caption><p>Table.</p></caption><table><tr><td>1</td>"
        "</tr></table></table-wrap><disp-formula><tex-math>x</tex-math></disp-formula>"
    )
    assert text(body) == "Before after."


def test_headings_stay_where_text_follows_them():
    body = (
        "<sec><title>Results</title><sec><title>Mice</title><p>They ran.</p></sec>"
        "<sec><title>Only a figure</title><fig/></sec></sec>"
        "<sec><title>Funding</title><p>A grant.</p></sec>"
        '<sec sec-type="supplementary-material"><title>More</title><p>A file.</p></sec>'
    )
    assert text(body) == "Results\n\nMice\n\nThey ran."


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (f"It was derived in ({cited('6')}).", "It was derived in."),
        (f"It is known [{cited('1', '2')}], as is this.", "It is known, as is this."),
        (f"It is known<sup>{cited('3', '4')}</sup>.", "It is known."),
        (f"Known (see {cited('3')}).", "Known."),
        (f"Known (Table 1; {cited('3')}).", "Known (Table 1)."),
        (f"Known ({cited('3')}, Table 1).", "Known (Table 1)."),
        (
            'Smith et al., <xref ref-type="bibr">2010</xref>; Lee.',
            "Smith et al., 2010; Lee.",
        ),
        (
            '(<xref ref-type="bibr">Smith, 2010</xref>)',
            "(Smith, 2010)",
        ),
        ('See <xref ref-type="fig">Figure 2A</xref>.', "See Figure 2A."),
        ('A note<xref ref-type="fn">a</xref>.', "A note."),
    ],
)
def test_numbered_citations_go_and_names_with_years_stay(sentence, expected):
    assert text(f"<p>{sentence}</p>") == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("10<sup>6</sup> cells", "10^6 cells"),
        ("5 m s<sup>\u22121</sup>", "5 m s^\u22121"),
        ("H<sub>2</sub>O and Ca<sup>2+</sup>", "H2O and Ca2+"),
        ("log<sub>2</sub>", "log2"),
        ("3<sub>10</sub> helix", "3_10 helix"),
        ("the 1<sup>st</sup> day", "the 1st day"),
        ("<sup>14</sup>C", "14C"),
        (
            "<inline-formula><alternatives><tex-math>\\usepackage{x}</tex-math>"
            "<mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup>"
            "</mml:math></alternatives></inline-formula> rises",
            "x^2 rises",
        ),
        (
            "<inline-formula><mml:math><mml:mfrac><mml:mrow><mml:mi>a</mml:mi>"
            "<mml:mo>+</mml:mo><mml:mi>b</mml:mi></mml:mrow><mml:mn>2</mml:mn>"
            "</mml:mfrac></mml:math></inline-formula>",
            "(a+b)/2",
        ),
    ],
)
def test_powers_indices_and_formulas_stay_readable(markup, expected):
    assert text(f"<p>{markup}</p>") == expected


def test_lists_stand_item_by_item_and_the_sentence_goes_on_behind():
    body = (
        "<p>First: <list><list-item><p>one</p><p>more of one</p></list-item>"
        "<list-item><p>two</p></list-item></list> and so on.</p>"
    )
    assert text(body) == "First:\n\n- one\n\nmore of one\n\n- two\n\nand so on."


def test_abstracts_are_taken_by_their_kind():
    article = read(
        abstracts=(
            "<abstract><title>Abstract</title><sec><title>Aim</title><p>To see.</p>"
            "</sec><p>DOI: <ext-link>10.1/x</ext-link></p></abstract>"
            '<abstract abstract-type="executive-summary"><p>For all.</p></abstract>'
            '<abstract abstract-type="toc"><p>A teaser.</p></abstract>'
            '<trans-abstract xml:lang="fr"><p>En bref.</p></trans-abstract>'
        )
    )
    assert article.abstract == "Aim\n\nTo see."
    assert article.digest == "For all."


def test_corrections_and_retractions_are_recognised():
    assert read(kind="correction").is_notice
    assert not read().is_notice
    related = '<related-article related-article-type="retraction-forward"/>'
    assert "retraction-forward" in read(related=related).retracted
    assert read(title="RETRACTED: A finding").retracted
    notice = read(
        kind="retraction",
        related='<related-article related-article-type="retracted-article"/>',
    )
    assert notice.is_notice
    assert not notice.retracted


def test_entities_of_the_dtd_are_written_out_without_reading_it():
    assert text("<p>&alpha;-helix &amp; more &unknownthing;!</p>") == (
        "\u03b1-helix & more !"
    )


BOMB = b"""<!DOCTYPE article [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<article><front><article-meta/></front><body><p>&c;</p></body></article>"""
LEAK = b"""<!DOCTYPE article [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<article><front><article-meta/></front><body><p>&x;</p></body></article>"""


@pytest.mark.parametrize("xml", [BOMB, LEAK])
def test_a_document_that_declares_entities_is_refused(xml):
    with pytest.raises(NotAnArticle, match="declares entities"):
        list(read_articles(xml))


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (page()[:-30], "not well-formed"),
        (b"", "not well-formed"),
        (b"<html><body/></html>", "root is <html>"),
        (b"<article><body/></article>", "no front/article-meta"),
        (b"<article>" + b"<sec>" * 9000 + b"</article>", "not well-formed"),
    ],
)
def test_what_is_no_article_is_refused_with_a_reason(xml, reason):
    with pytest.raises(NotAnArticle, match=reason):
        list(read_articles(xml))


def test_sets_of_articles_and_namespaces_of_services_are_read():
    inner = page().split(b"?>", 1)[1].split(b'.dtd">', 1)[1]
    both = list(
        read_articles(b"<pmc-articleset>" + inner + inner + b"</pmc-articleset>")
    )
    assert [a.title for a in both] == ["A title", "A title"]
    spaced = inner.replace(
        b"<article ", b'<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/" ', 1
    )
    (article,) = read_articles(spaced)
    assert (article.title, article.body) == ("A title", "Text.")


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"$$\alpha$$", "\u03b1"),
        (r"\(p \le 0.05\)", "p ≤ 0.05"),
        (r"$10^{-3}\,\mathrm{mol}$", "10^-3 mol"),
        (r"$\frac{a}{b+1}$", "a/(b+1)"),
        (r"$\text{CO}_{2} \approx 5\%$", "CO_2 ≈ 5%"),
        (r"$\sqrt{x^2} \pm \Delta\lambda$", "√(x^2) ± Δλ"),
        (r"$\begin{matrix}a \\ b\end{matrix}$", r"$\begin{matrix}a \\ b\end{matrix}$"),
        (r"$\unheard{of}$", r"$\unheard{of}$"),
        ("", ""),
    ],
)
def test_a_formula_in_tex_alone_is_read(tex, expected):
    framed = rf"\documentclass[12pt]{{minimal}}\begin{{document}}{tex}\end{{document}}"
    for written in (tex, framed):
        formula = f"<inline-formula><tex-math>{written}</tex-math></inline-formula>"
        assert text(f"<p>So {formula} is it.</p>") == " ".join(
            f"So {expected} is it.".split()
        )
        assert read(title=f"Of {formula}").title == f"Of {expected}".strip()


def test_of_a_formula_in_tex_and_mathml_one_is_read():
    both = (
        "<inline-formula><alternatives><tex-math>$x$</tex-math><mml:math><mml:mi>x"
        "</mml:mi></mml:math></alternatives></inline-formula>"
    )
    assert text(f"<p>So {both}.</p>") == "So x."
    alone = both.replace("<mml:math><mml:mi>x</mml:mi></mml:math>", "<graphic/>")
    assert text(f"<p>So {alone}.</p>") == "So x."


def test_a_box_keeps_its_title():
    box = "<boxed-text><caption><title>Key points</title></caption><p>Rest.</p>"
    assert text(f"<p>Before.</p>{box}</boxed-text>") == "Before.\n\nKey points\n\nRest."
    section = f"<sec><title>Results</title>{box}</boxed-text><p>After.</p></sec>"
    assert text(section) == "Results\n\nKey points\n\nRest.\n\nAfter."


def test_a_concern_of_the_editors_is_told():
    related = '<related-article related-article-type="{}" xlink:href="10.1/y"/>'
    found = read(related=related.format("expression-of-concern"))
    assert "expression-of-concern" in found.concern
    assert not found.retracted
    assert read(title="Expression of Concern: a title").concern
    assert not read(related=related.format("companion")).concern
    assert read(kind="expression-of-concern").is_notice

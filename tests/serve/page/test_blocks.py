"""An answer as the page draws it: a tree in which nothing of a model can act."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from medassist.serve.page.blocks import blocks

ALLOWED = {
    *("p", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "table"),
    *("thead", "tbody", "tr", "th", "td", "strong", "em", "s", "br", "hr", "mark"),
}


def elements(nodes: list[Any]) -> Iterator[list[Any]]:
    for node in nodes:
        if isinstance(node, list):
            yield node
            yield from elements(node[2])


def said(nodes: list[Any]) -> str:
    return "".join(
        node if isinstance(node, str) else said(node[2]) + " " * (node[0] in "p td li")
        for node in nodes
    )


def marked(nodes: list[Any], kind: str = "amount") -> list[str]:
    return [
        said(node[2])
        for node in elements(nodes)
        if node[0] == "mark" and node[1]["kind"] == kind
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[here](javascript:alert(1))",
        "![](https://elsewhere.example/x.png)",
        "<https://elsewhere.example>",
        "&lt;script&gt;",
        "[a]: https://elsewhere.example\n\n[a]",
        '<a href="https://elsewhere.example">x</a>',
    ],
)
def test_what_could_act_or_lead_away_stays_text(hostile: str) -> None:
    found = blocks(f"Before.\n\n{hostile}\n\nAfter.")
    assert {node[0] for node in elements(found)} <= {"p", "br"}
    for line in filter(None, hostile.split("\n")):
        assert line in said(found)


def test_every_element_is_one_that_the_page_knows() -> None:
    text = (
        "# One\n\n###### Six\n\ntext *a* **b** ~~c~~ `d`  \nline\n\n- x\n  1. y\n\n"
        "> quoted\n\n---\n\n```js\ncode()\n```\n\n    indented\n\n| a |\n|--|\n| b |\n"
    )
    found = blocks(text)
    assert {node[0] for node in elements(found)} <= ALLOWED
    assert json.loads(json.dumps(found)) == found
    assert [node[0] for node in elements(found) if node[0][0] == "h"] == [
        *("h4", "h6", "hr"),
    ]


def test_a_dose_is_marked_across_emphasis() -> None:
    found = blocks("Give **amoxicillin 500** mg *three times* daily by mouth.")
    assert "".join(marked(found)) == "500 mg"
    assert marked(found, "part")[0] == "amoxicillin"


def test_a_drug_and_its_dose_stand_in_two_cells_of_a_row() -> None:
    found = blocks("| Drug | Dose |\n|:--|--:|\n| ibuprofen | 400 mg |\n")
    assert marked(found) == ["400 mg"]
    assert marked(found, "part") == ["ibuprofen"]
    assert [node[1] for node in elements(found) if node[0] == "td"] == [
        {"align": "left"},
        {"align": "right"},
    ]


def test_a_list_goes_on_at_its_own_number() -> None:
    (found,) = blocks("3. three\n4. four\n")
    assert found[:2] == ["ol", {"start": 3}]


def test_what_markdown_would_leave_out_is_shown_as_it_was_written() -> None:
    text = "> " * 30 + "the dose is 5 mg"
    (found,) = blocks(text)
    assert found[0] == "pre"
    assert said([found]) == text
    assert marked([found]) == ["5 mg"]


def test_controls_and_what_reorders_letters_are_gone() -> None:
    assert said(blocks("5\u202e gm\x1b[31m mg")).strip() == "5 gm mg"


def test_the_word_behind_a_fence_is_left_out_and_a_sentence_is_not() -> None:
    assert said(blocks("```python\nx\n```")) == "x"
    assert said(blocks("``` give 5 mg\nx\n```")).startswith("give 5 mg")

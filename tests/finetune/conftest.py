from __future__ import annotations

import io
import json
import lzma
import tarfile
from pathlib import Path

import pytest
import torch

# Forty subjects, so that a tenth of them is some, and text enough for a tokenizer.
SUBJECTS = [
    f"Morbus {name}{end}"
    for name in ("Abel", "Brink", "Corvo", "Dahl")
    for end in ("ius", "a", "or", "ine", "et", "ung", "ara", "ow", "ino", "elle")
]

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="{number}" source="OWN" url="https://example.org/{number}">
<Focus>{focus}</Focus>
<QAPairs>
  <QAPair pid="1"><Question qid="{number}-1" qtype="information"
    >What is (are) {focus} ?</Question>
    <Answer>{focus} is a disease of the {organ}. It begins
            slowly and is found by looking. Rest helps those who have it.</Answer>
  </QAPair>
  <QAPair pid="2"><Question qid="{number}-2" qtype="treatment"
    >What are the treatments for {focus} ?</Question>
    <Answer>How might {focus} be treated? People with {focus} drink water and wait.
            Some take a remedy for the {organ} twice a day.</Answer>
  </QAPair>
  <QAPair pid="3"><Question qid="{number}-3" qtype="symptoms"
    >What are the symptoms of {focus} ?</Question>
    <Answer>The Human Phenotype Ontology provides the following list of signs and
            symptoms for {focus}. Cough - Fever 90% -</Answer>
  </QAPair>
</QAPairs>
</Document>
"""


def page(number: int) -> str:
    organ = ("heart", "liver", "skin", "lung")[number % 4]
    return PAGE.format(number=number, focus=SUBJECTS[number], organ=organ)


def write_medquad(folder: Path, pages: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "medquad-xml.tar.xz", "w:xz") as tar:
        for number, text in enumerate(pages):
            data = text.encode()
            member = tarfile.TarInfo(f"own/{number:04}.xml")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return folder


def write_corpus(folder: Path, rows: list[dict[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "pretrain_corpus.jsonl.xz").write_bytes(lzma.compress(text.encode()))
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of our own words, in the formats of the real one."""
    folder = tmp_path_factory.mktemp("data")
    write_medquad(folder / "medquad", [page(i) for i in range(len(SUBJECTS))])
    write_corpus(
        folder / "pretrain-corpus",
        [
            {
                "source": "ontology",
                "licence": "CC0",
                "text": f"Sign {i}: a sign is_part_of the body, number {i} of many.",
            }
            for i in range(60)
        ]
        + [{"source": "elife", "licence": "CC BY", "text": "Not asked for."}],
    )
    return folder


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that is carried out in seconds."""
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(
        """\
name: tiny-starter
seed: 5
scale: tiny
scales:
  tiny:
    model:
      {hidden: 64, layers: 2, heads: 2, key_value_heads: 1, feed_forward: 96,
       context: 192}
    base:
      {steps: 12, rows: 4, row: 48, long_share: 0.2, matrix_rate: 0.01,
       vector_rate: 0.01, warm_up: 0.1, decay: 0.3}
tokenizer: {size: 320}
text:
  chat_share: 0.5
  held_out: 0.2
  sources:
    - {name: medquad, weight: 1.5, longest: 400}
    - {name: ontology, weight: 0.5, longest: 200}
tune:
  {longest_answer: 120, same_answer: 5, follow_ups: 0.3, small_talk: 0, rank: 4,
   alpha: 8, epochs: 3, rows: 8, rate: 0.01}
""",
        "utf-8",
    )
    return file


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """More threads make models of this size slower, and busy machines much slower."""
    torch.set_num_threads(1)

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from finetune.data.prepared_records import (
    DialogueRecord,
    Licence,
    RecordMessage,
    TextRecord,
)
from finetune.evaluate.recipe import EvaluatePart
from tests.convert.tiny_hf import SENTENCES, HfFolders, save_pair

LICENCE = Licence(name="CC0 1.0", evidence="our own words")


def dialogue(number: int, *turns: str) -> DialogueRecord:
    roles = ("user", "assistant")
    return DialogueRecord(
        id=f"d{number}",
        source="own",
        group=f"patient {number // 2}",
        licence=LICENCE,
        messages=tuple(
            RecordMessage.model_validate({"role": roles[i % 2], "content": text})
            for i, text in enumerate(turns)
        ),
    )


def records(count: int = 24) -> list[DialogueRecord | TextRecord]:
    made: list[DialogueRecord | TextRecord] = []
    for i in range(count):
        asked = f"{SENTENCES[i % 5][: 20 + i]}?"
        made.append(dialogue(i, asked, SENTENCES[(i * 3 + 1) % 5][: 30 + i]))
    made.append(dialogue(99, "Why?", SENTENCES[0], "And then?", SENTENCES[3]))
    # Longer than the context of 256 tokens.
    text = " ".join(SENTENCES) * 4
    made += [
        TextRecord(
            id=f"t{i}", source="own", group=f"g{i}", licence=LICENCE, text=text[i:]
        )
        for i in range(2)
    ]
    return made


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> HfFolders:
    return save_pair(tmp_path_factory.mktemp("tiny-pair"))


def make_run(folder: Path, pair: HfFolders, adapter: str = "plain") -> Path:
    (folder / "data").mkdir(parents=True)
    shutil.copytree(getattr(pair, adapter), folder / "adapter")
    lines = [record.model_dump_json() + "\n" for record in records()]
    (folder / "data" / "test.jsonl").write_text("".join(lines), "utf-8")
    config = folder / "adapter" / "adapter_config.json"
    content = json.loads(config.read_text("utf-8"))
    content["base_model_name_or_path"] = str(pair.base)
    config.write_text(json.dumps(content), "utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path, tiny_pair: HfFolders) -> Path:
    return make_run(tmp_path / "run", tiny_pair)


@pytest.fixture
def activated_run(tmp_path: Path, tiny_pair: HfFolders) -> Path:
    return make_run(tmp_path / "activated", tiny_pair, "activated")


@pytest.fixture
def part() -> EvaluatePart:
    """Short answers, so that a test takes a moment."""
    return EvaluatePart.model_validate(
        {"generate": 3, "max_new_tokens": 6, "examples": False}
    )

"""Upstream's own converter on real and tiny vocabularies: the fixtures are its word.

MEDASSIST_WRITE_FIXTURES=1 writes what it gives to fixtures/upstream_vocabularies, which
the ordinary tests are held to.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from convert.verify.rendered_prompts import compare_prompts
from convert.verify.token_ids import compare_tokens
from convert.vocabulary import load_tokenizer, read_vocabulary
from tests.convert.published_vectors import read_vectors
from tests.convert.tiny_vocabularies import vocabulary_gguf
from tests.convert.upstream import Job, run_upstream
from tests.convert.vocabulary_cases import CASES, SMALL
from tests.convert.vocabulary_facts import FIXTURES, vocabulary_facts, written
from tests.llama_source import llama_source

pytestmark = pytest.mark.oracle
VECTORS = ("gpt-2", "llama-bpe", "qwen2", "phi-3", "llama-spm")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("vocabularies")
    models = llama_source() / "models"
    jobs: list[Job] = []
    for name, case in CASES.items():
        folder = case.make(models, root / name)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        size = len(load_tokenizer(folder))
        settings = config | case.config | {"vocab_size": size}
        (folder / "config.json").write_text(json.dumps(settings), "utf-8")
        jobs.append(
            Job(
                str(folder),
                str(root / f"{name}.theirs.gguf"),
                "f16",
                plain_vocabulary=False,
                pre=case.pre,
                vocabulary_only=True,
            )
        )
        vocabulary_gguf(
            root / f"{name}.gguf",
            read_vocabulary(folder, size),
            "phi-3" if name == "phi-3" else "x",
        )
    run_upstream(jobs)
    if os.environ.get("MEDASSIST_WRITE_FIXTURES"):
        FIXTURES.mkdir(parents=True, exist_ok=True)
        for name in SMALL:
            facts = vocabulary_facts(root / f"{name}.theirs.gguf")
            text = json.dumps(facts, indent=1) + "\n"
            (FIXTURES / f"{name}.json").write_text(text, "utf-8")
    return root


@pytest.mark.parametrize("name", CASES)
def test_ours_says_what_upstreams_does(both, name):
    ours = vocabulary_facts(both / f"{name}.gguf")
    theirs = vocabulary_facts(both / f"{name}.theirs.gguf")
    assert ours == theirs | CASES[name].differs
    said = written(both / f"{name}.theirs.gguf") | CASES[name].said_otherwise
    assert said.items() <= written(both / f"{name}.gguf").items()


@pytest.mark.parametrize("name", CASES)
def test_ours_reads_500_texts_as_the_tokenizer_does(both, name):
    tokens = compare_tokens(both / name, both / f"{name}.gguf")
    assert tokens.first_difference is None
    prompts = compare_prompts(both / name, both / f"{name}.gguf")
    assert prompts.first_difference is None


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors_are_read_as_published(both, name):
    vectors = read_vectors(llama_source() / "models", name)
    assert len(vectors.texts) > 40
    assert vectors.wrong(both / f"{name}.gguf") == []

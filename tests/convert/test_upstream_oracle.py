"""Upstream's own converter, run on the same folders: the fixtures are its word.

MEDASSIST_WRITE_FIXTURES=1 writes what it gives to fixtures/upstream, which the
ordinary tests are held to.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from convert.gguf.file import Quantization
from convert.gguf.model import convert_model
from tests.convert.contents import Contents, contents, digest
from tests.convert.families import FAMILIES, save_family, without_masks
from tests.convert.test_architectures import UPSTREAM
from tests.convert.upstream import Job, run_upstream

pytestmark = pytest.mark.oracle
KINDS: tuple[Quantization, ...] = ("f32", "f16", "bf16", "q8_0")
# Where ours differs on purpose, and why:
# - llama.rope.scaling.attn_factor: llama.cpp reads no other key for the attention
#   factor of a YaRN that config.json sets, and takes the usual one without it.
# - gemma3.attention.sliding_window_pattern: llama.cpp takes every sixth layer to be
#   without a window, unless this key says otherwise.
# - the masks in old GPT-2 checkpoints: upstream fails on them (`without_masks`).
# - the size of a head: written always; llama.cpp takes hidden / heads without it.
# - mistral3.rope.scaling.attn_factor: as for llama, where upstream says the same by
#   yarn_log_multiplier, which holds for one value of `mscale` alone.
# - a GPT-NeoX: upstream leaves its base of RoPE and the type of the file out.
# - a dense Granite 4: upstream writes what its sisters with Mamba and experts need.
# - gpt2.feed_forward_length of a GPT-2 with `n_inner`: upstream writes 4 x n_embd.
# - gemma2.rope.freq_base other than 10000: upstream leaves it out.
# - float16 checkpoints of Gemma: upstream adds 1 to the norms in float16, we in
#   float32, as transformers does when it computes.
# - experts in MXFP4: upstream keeps them so in a file of the type f32, too.
# - qwen35moe.feed_forward_length: every model of ours has it.
# - qwen35moe.full_attention_interval: upstream writes 4 whatever the layers are; it is
#   not read where they are named.
# - what guesses tokens ahead in Qwen3.5: upstream takes it where it is stored, and is
#   told to leave it out here; transformers does not load it.
# - tokenizer.*: compared with real vocabularies, not with these.


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("upstream")
    jobs: list[Job] = []
    for name in FAMILIES:
        save_family(name, root / name)
        if name == "distilgpt2":
            without_masks(root / name)
        jobs += [
            Job(
                str(root / name),
                str(root / f"{name}-{kind}.gguf"),
                kind,
                no_mtp=FAMILIES[name].no_mtp,
            )
            for kind in KINDS
        ]
    run_upstream(jobs)
    if os.environ.get("MEDASSIST_WRITE_FIXTURES"):
        for name in FAMILIES:
            write_fixture(name, root)
    return root


def settings(found: Contents, name: str) -> dict[str, object]:
    return {
        key: value
        for key, value in found.metadata.items()
        if not key.startswith("tokenizer.")
        and key not in FAMILIES[name].beyond | FAMILIES[name].needless
    }


def packed(found: Contents) -> list[str]:
    """Tensors in MXFP4."""
    return [name for name, what in found.tensors.items() if what.startswith("MXFP4")]


def write_fixture(name: str, root: Path) -> None:
    found = contents(root / f"{name}-f32.gguf")
    fixture = {"metadata": settings(found, name), "tensors": found.tensors}
    for kind in KINDS[1:]:
        fixture[kind] = digest(contents(root / f"{name}-{kind}.gguf"))
    UPSTREAM.mkdir(parents=True, exist_ok=True)
    text = json.dumps(fixture, indent=1) + "\n"
    (UPSTREAM / f"{name}.json").write_text(text, "utf-8")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FAMILIES)
def test_ours_is_upstreams_file(both, tmp_path, name, kind):
    ours = contents(convert_model(both / name, tmp_path / "a.gguf", None, kind))
    theirs = contents(both / f"{name}-{kind}.gguf")
    if kind == "f32":
        for found in (ours, theirs):
            for tensor in packed(theirs):
                del found.tensors[tensor]
    assert ours.tensors == theirs.tensors
    assert list(ours.tensors) == list(theirs.tensors), "in the same order"
    assert settings(ours, name) == settings(theirs, name)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_fixture_is_still_what_upstream_gives(both, name):
    fixture = json.loads((UPSTREAM / f"{name}.json").read_text("utf-8"))
    assert contents(both / f"{name}-f32.gguf").tensors == fixture["tensors"]


def test_front_matter_and_sampling_are_read_as_upstream_reads_them(tmp_path):
    folder = save_family("llama", tmp_path / "Tiny-Chat-1.5B-v2")
    (folder / "README.md").write_text(FRONT_MATTER, "utf-8")
    (folder / "generation_config.json").write_text(
        json.dumps({"temperature": 0.6, "top_k": 20, "repetition_penalty": 1.1})
    )
    run_upstream([Job(str(folder), str(tmp_path / "theirs.gguf"), "f16")])
    ours = contents(convert_model(folder, tmp_path / "ours.gguf"))
    theirs = contents(tmp_path / "theirs.gguf")
    assert settings(ours, "llama") == settings(theirs, "llama")
    assert ours.metadata["general.license"] == "apache-2.0"


def test_a_model_is_split_where_upstream_splits_it(tmp_path):
    folder = save_family("llama", tmp_path / "llama")
    job = Job(str(folder), str(tmp_path / "up" / "m.gguf"), "f32", split="100K")
    (tmp_path / "up").mkdir()
    run_upstream([job])
    convert_model(folder, tmp_path / "m.gguf", None, "f32", split=100_000)
    ours, theirs = sorted(tmp_path.glob("*.gguf")), sorted((tmp_path / "up").iterdir())
    assert [f.name for f in ours] == [f.name for f in theirs]
    assert len(ours) > 2
    for a, b in zip(ours, theirs, strict=True):
        assert contents(a).tensors == contents(b).tensors


FRONT_MATTER = """---
license: apache-2.0
language:
- en
- no
tags: [medical, chat]
base_model: some-lab/Tiny-Base-1.5B
datasets:
- some-lab/questions
---
# A model
"""

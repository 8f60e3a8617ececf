"""The GGUFs of a run on an endpoint of llama.cpp: its own server answers here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from finetune.evaluate.result import read_evaluation
from finetune.sagemaker.hosting.llama_cpp import LlamaCpp, base_file
from medassist.core.plain_template import plain_template
from medassist.core.run_folder import STARTER_ADAPTERS, STARTER_BASE, RunFolder
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.hosting_runs import (
    call,
    deploy,
    on_the_fakes_clock,
    refused,
    words,
)
from tests.finetune.sagemaker.test_ask_and_compare import write_manifest
from tests.finetune.train.conftest import dialogue, write_split
from tests.tiny_models import random_weights, tokenizer, write_model

STARTER = Path(__file__).parents[3] / "medassist/starter"
BASE, ADAPTER = STARTER / STARTER_BASE, STARTER / STARTER_ADAPTERS["plain"]
LLAMA = ["--engine", "llama-cpp"]
QUESTION = "What are the symptoms of asthma?"
needs_server = pytest.mark.skipif(
    find_spec("xllamacpp") is None,
    reason="llama.cpp's own server is not there: pip install xllamacpp",
)


@pytest.fixture
def run(tmp_path: Path, cloud: Cloud) -> Iterator[Path]:
    """The starter pair as `convert run` leaves a pair, with held-out questions."""
    run = tmp_path / "run"
    (run / "gguf").mkdir(parents=True)
    shutil.copy(BASE, run / "gguf/base-q8_0.gguf")
    shutil.copy(ADAPTER, run / "gguf/adapter.gguf")
    (run / "adapter").mkdir()
    (run / "adapter/adapter_config.json").write_text('{"r": 16}', "utf-8")
    write_split(run, "test", [dialogue(number) for number in range(2)])
    write_manifest(run)
    recipe = "evaluate: {generate: 2, max_new_tokens: 12, examples: false}\n"
    (run / "recipe.yaml").write_text(recipe, "utf-8")
    with on_the_fakes_clock(cloud):
        yield run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of the chats of llama.cpp's server, as the image's proxy has it."""
    script = Path(__file__).with_name("llama_server.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(BASE), str(ADAPTER), "2048"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ.copy(),
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    yield f"{address}/v1/chat/completions"
    process.communicate("", timeout=60)


def test_the_request_is_a_cpus_and_names_its_files(run: Path, cloud: Cloud) -> None:
    cloud.fake.endpoint_failure = "no"
    refused(*words(run, *LLAMA))
    made = dict(cloud.fake.calls)
    container = made["CreateModel"]["PrimaryContainer"]
    assert container["Image"].endswith("/llama-cpp:server-sagemaker-cpu-v1")
    settings = container["Environment"]
    assert settings["SM_LLAMA_CPP_MODEL"] == "/opt/ml/model/base.gguf"
    assert settings["SM_LLAMA_CPP_LORA"] == "/opt/ml/model/adapter.gguf"
    assert settings["SM_LLAMA_CPP_CTX_SIZE"] == "2048"
    assert "SM_LLAMA_CPP_CHAT_TEMPLATE" not in settings  # the GGUF has its own
    (variant,) = made["CreateEndpointConfig"]["ProductionVariants"]
    assert variant["InstanceType"] == "ml.m5.xlarge"
    assert "InferenceAmiVersion" not in variant and variant["VolumeSizeInGB"] >= 20


@needs_server
def test_the_starter_pair_answers_from_there_as_it_does_here(
    run: Path, cloud: Cloud, server: str, tmp_path: Path
) -> None:
    cloud.fake.container = server
    found = deploy(run, *LLAMA)
    assert (found["engine"], found["instance"]) == ("llama-cpp", "ml.m5.xlarge")
    asked = ["ask", str(run), QUESTION, "--both", "--max-tokens", "24", "--json"]
    there = json.loads(call(*asked).stdout)["answers"]
    here = locally(tmp_path)
    assert there["base"]["text"] == here["base"]
    assert there["tuned"]["text"] == here["tuned"]
    call("compare", str(run), "--yes")
    compared = read_evaluation(run)
    assert compared.models.base.parameters == 9_076_800
    assert (compared.settings.dtype, compared.models.tuned.rank) == ("Q8_0", 16)
    assert len(compared.answers) == 2
    assert compared.settings.chat_template


def locally(folder: Path) -> dict[str, str]:
    """What the program itself answers with the same files, without a penalty."""
    settings = folder / "home/config/settings.toml"
    settings.parent.mkdir(parents=True, mode=0o700)
    settings.write_text("[sampling]\nrepeat_penalty = 1.0\n", "utf-8")
    done = subprocess.run(
        [
            sys.executable, "-m", "medassist", "ask", QUESTION,
            "--base", str(BASE), "--adapter", str(ADAPTER), "--temperature", "0",
            "--max-tokens", "24", "--json",
        ],
        capture_output=True,
        env=os.environ | {"MEDASSIST_HOME": str(folder / "home")},
        text=True,
        check=True,
    )  # fmt: skip
    answers: dict[str, Any] = json.loads(done.stdout)["answers"]
    return {side: answer["text"].strip() for side, answer in answers.items()}


def test_a_base_without_a_template_is_asked_with_the_plain_one(
    run: Path, cloud: Cloud
) -> None:
    small = run / "gguf/base-small.gguf"
    made = tokenizer()
    weights = random_weights(made.get_vocab_size(), 7)
    write_model(small, weights, made, template=None)
    cloud.fake.endpoint_failure = "no"
    refused(*words(run, *LLAMA, "--gguf", "base-small.gguf"))
    (request,) = [r for name, r in cloud.fake.calls if name == "CreateModel"]
    settings = request["PrimaryContainer"]["Environment"]
    assert settings["SM_LLAMA_CPP_CHAT_TEMPLATE"] in (
        plain_template(begins_with_bos=True), plain_template(begins_with_bos=False),
    )  # fmt: skip
    assert LlamaCpp.of(RunFolder(run), small).stops == ("\nQuestion:",)


def test_the_smallest_base_is_taken_and_another_where_it_is_named(run: Path) -> None:
    folder = RunFolder(run)
    (run / "gguf/base-f16.gguf").write_bytes(b"x" * (BASE.stat().st_size + 1))
    assert base_file(folder).name == "base-q8_0.gguf"
    assert base_file(folder, "base-f16.gguf").name == "base-f16.gguf"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda gguf: (gguf / "adapter.gguf").unlink(), "two sets of weights"),
        (
            lambda gguf: shutil.copy(
                STARTER / STARTER_ADAPTERS["activated"], gguf / "adapter.gguf"
            ),
            "an activated LoRA",
        ),
        (
            lambda gguf: (gguf / "base-q8_0.gguf").write_bytes(b"GGUF"),
            "base-q8_0.gguf",
        ),
        (
            lambda gguf: (gguf / "base-q8_0.gguf").rename(
                gguf / "base-q8_0-00001-of-00002.gguf"
            ),
            "one of several parts",
        ),
    ],
)
def test_files_that_cannot_be_served_are_refused(
    run: Path, change: Any, sentence: str
) -> None:
    change(run / "gguf")
    assert sentence in refused(*words(run, *LLAMA))

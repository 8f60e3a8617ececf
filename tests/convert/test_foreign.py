"""What comes in a form of others is refused with what it is and what to do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convert.architectures import KNOWN
from convert.commands import app
from convert.errors import ConvertError
from convert.foreign_forms import FORMS, Sight
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model
from convert.merge import merge, read_record
from convert.run.convert import convert_run_folder
from convert.supported_models import TAKEN
from convert.verify.streamed_model import StreamedModel
from tests.convert import foreign_cases, more_foreign_cases
from tests.convert.conftest import ABOUT
from tests.convert.foreign_cases import (
    Case,
    Pair,
    of_class,
    without_tokenizer,
)
from tests.convert.tiny_hf import save_pair
from tests.convert.tiny_lora import save_adapter

ADAPTERS = foreign_cases.ADAPTERS | more_foreign_cases.ADAPTERS
BASES = foreign_cases.BASES | more_foreign_cases.BASES
CLASSES = foreign_cases.CLASSES | more_foreign_cases.CLASSES
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> Pair:
    folder = tmp_path_factory.mktemp("right")
    hf = save_pair(folder, tied=False)
    return Pair(hf.base, save_adapter(hf.base, folder / "adapter"))


@pytest.fixture
def pair(right, tmp_path) -> Pair:
    return Pair(
        shutil.copytree(right.base, tmp_path / "base"),
        shutil.copytree(right.adapter, tmp_path / "adapter"),
    )


def check(said: str, case: Case) -> None:
    assert "\n" not in said
    for pattern in case.said:
        assert re.search(pattern, said), said
    assert "trained on" not in said


def merged(given: Pair, out: Path) -> None:
    merge(given.base, given.adapter, out / "merged")


def adapted(given: Pair, out: Path) -> None:
    convert_adapter(given.adapter, given.base, out / "a.gguf", ABOUT)


def converted(given: Pair, out: Path) -> None:
    convert_model(given.base, out / "m.gguf", ABOUT)


def verified_base(given: Pair, out: Path) -> None:
    del out
    StreamedModel(given.base)


def verified_adapter(given: Pair, out: Path) -> None:
    del out
    StreamedModel(given.base, given.adapter)


def run(given: Pair, out: Path) -> None:
    folder = out / "run"
    shutil.copytree(given.adapter, folder / "adapter")
    convert_run_folder(folder, base=given.base)


def refused(use, given: Pair, out: Path) -> str:
    out.mkdir()
    with pytest.raises(ConvertError) as raised:
        use(given, out)
    assert not [*out.glob("*.gguf"), *out.glob("merged")]
    return str(raised.value)


@pytest.mark.parametrize("use", [merged, adapted])
@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_of_others_is_named(pair, tmp_path, name, use):
    case = ADAPTERS[name]
    check(refused(use, case.make(pair), tmp_path / "out"), case)


@pytest.mark.parametrize("name", ADAPTERS)
def test_verify_names_it_too(pair, tmp_path, name):
    case = ADAPTERS[name]
    check(refused(verified_adapter, case.make(pair), tmp_path / "out"), case)


def test_run_names_it_too(pair, tmp_path):
    for number, name in enumerate(("a classifier's head", "MLX's DoRA")):
        given = Pair(pair.base, tmp_path / f"adapter-{number}")
        shutil.copytree(pair.adapter, given.adapter)
        case = ADAPTERS[name]
        check(refused(run, case.make(given), tmp_path / f"out-{number}"), case)


@pytest.mark.parametrize("name", BASES)
def test_a_model_of_others_is_named(pair, tmp_path, name):
    case = BASES[name]
    check(refused(converted, case.make(pair), tmp_path / "out"), case)


@pytest.mark.parametrize(
    "name",
    [
        *("compiled", "DDP", "saved from a PeftModel", "of a vision model"),
        *("GPTQ", "bitsandbytes"),
        *("a shard without its index", "a trainer's folder", "the cache's root"),
    ],
)
def test_merge_and_verify_name_a_base_of_others_too(pair, tmp_path, name):
    case = BASES[name]
    given = case.make(pair)
    check(refused(verified_base, given, tmp_path / "one"), case)
    check(refused(merged, given, tmp_path / "two"), case)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_that_is_not_written_is_told_with_the_tool_that_does_it(
    pair, tmp_path, name
):
    said = refused(converted, of_class(name)(pair), tmp_path / "out")
    assert re.search(rf"architecture is {name}: .*{CLASSES[name]}", said), said
    assert all(known in said for known in TAKEN)
    assert refused(adapted, pair, tmp_path / "again") == said


@pytest.mark.parametrize(
    "name", [n for n, case in BASES.items() if "python -c" in case.said]
)
def test_what_is_to_be_done_to_the_names_of_a_model_does_it(pair, tmp_path, name):
    made = BASES[name].make(pair)
    said = refused(converted, made, tmp_path / "out")
    follow(said, made.base / "model.safetensors")
    assert convert_model(made.base, tmp_path / "m.gguf", ABOUT).is_file()


def follow(said: str, file: Path) -> None:
    line = re.search(r'python -c ("[^"]+") FILE NEW', said)
    assert line, said
    (code,) = shlex.split(line[1])
    new = file.with_name("new.safetensors")
    subprocess.run([sys.executable, "-c", code, file, new], check=True, timeout=120)
    new.replace(file)


def test_a_folder_without_a_tokenizer_is_told(pair, tmp_path):
    said = refused(converted, without_tokenizer(pair), tmp_path / "out")
    assert re.search(r"holds no tokenizer.*copy the tokenizer's files", said), said


def test_merge_says_that_there_is_no_tokenizer(pair, tmp_path):
    given = without_tokenizer(pair)
    words = ["merge", *map(str, (given.base, given.adapter, tmp_path / "out"))]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "holds no tokenizer" in result.stdout
    assert "no GGUF can be made" in result.stdout


def test_merge_says_nothing_where_the_tokenizer_is_there(pair, tmp_path):
    merge(pair.base, pair.adapter, tmp_path / "out")
    assert not any("tokenizer" in n for n in read_record(tmp_path / "out").notes)


def test_a_run_folder_given_as_a_trainers_is_told(pair, tmp_path):
    top = tmp_path / "run"
    shutil.copytree(pair.adapter, top / "checkpoint-7")
    with pytest.raises(ConvertError, match=r"trainer's folder.*checkpoint-7"):
        convert_run_folder(top, base=pair.base)


def test_the_folder_of_a_pickle_is_told_as_before(pair, tmp_path):
    (pair.base / "model.safetensors").rename(pair.base / "pytorch_model.bin")
    (pair.base / "tf_model.h5").write_bytes(b"")
    (pair.base / "training_args.bin").write_bytes(b"")
    said = refused(converted, pair, tmp_path / "out")
    assert "holds no safetensors but pytorch_model.bin, a pickle" in said


def test_no_form_is_found_in_what_is_right(right):
    """Every pattern is of names that no supported family has."""
    from convert.foreign import of_adapter_config, of_folder, of_tensors
    from convert.hf_folder import JsonFile, read_weights
    from convert.peft_adapter import read_adapter

    adapter = read_adapter(right.adapter)
    where = Sight.ADAPTER_TENSOR
    assert of_tensors(right.adapter, adapter.source.tensors, where) is None
    config = JsonFile.read(right.adapter / "adapter_config.json")
    assert of_adapter_config(config.file, config.values) is None
    names = [weight.name for weight in read_weights(right.base)]
    assert of_tensors(right.base, names, Sight.MODEL_TENSOR) is None
    assert of_folder(right.base, "nothing.json") is None


def test_every_line_of_the_table_says_what_and_what_to_do():
    for form in FORMS:
        assert form.what and form.to_do, form
        filled = form.to_do.format(found="F") + form.what.format(found="F")
        assert "{wanted}" not in filled


def test_help_readme_and_guide_name_the_models_that_are_taken_and_no_others():
    assert {*TAKEN} == {*KNOWN} - {"LLaMAForCausalLM"}  # Llama's oldest spelling
    result = CliRunner().invoke(app, ["gguf", "--help"])
    readme = read(ROOT / "README.md")
    guide = read(ROOT / "docs/from-a-fine-tune-to-ollama.md")
    said = " ".join(result.stdout.split())
    assert all(f"{models}" in said and name in said for name, models in TAKEN.items())
    (paragraph,) = re.findall(r"a PEFT adapter:\n\n(.+?)\n\n", readme, re.DOTALL)
    assert " ".join(paragraph.split()) == "; ".join(TAKEN.values()) + "."
    rows = re.findall(
        r"^\| `(\w+For\w+|\w+HeadModel)` \| (.+) \|$", guide, re.MULTILINE
    )
    assert dict(rows) == TAKEN
    assert "any Llama" not in readme


def read(file: Path) -> str:
    return file.read_text("utf-8")

"""`convert gguf`: several types, split files, bounded memory, and what it says."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.conversion import convert_types, read_outtypes
from convert.gguf.model import About, ModelFolder, convert_model
from tests.convert.contents import contents
from tests.convert.families import save_family, some_tokens
from tests.convert.native import NativeModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_family("qwen2", tmp_path_factory.mktemp("hf") / "tiny-qwen")


def test_several_types_are_made_in_one_call(folder, tmp_path):
    types = read_outtypes("F16, q8_0,f16")
    made = convert_types(folder, tmp_path / "out", types)
    names = ["tiny-qwen-f16.gguf", "tiny-qwen-q8_0.gguf"]
    assert [file.file.name for file in made.files] == names
    assert made.files[0].bytes > made.files[1].bytes
    assert contents(made.files[0].file).metadata["general.file_type"] == 1
    assert contents(made.files[1].file).metadata["general.file_type"] == 7


def test_a_name_with_a_place_for_the_type_is_filled_in(folder, tmp_path):
    made = convert_types(folder, tmp_path / "m.{type}.gguf", ["bf16", "f32"])
    assert [f.file.name for f in made.files] == ["m.bf16.gguf", "m.f32.gguf"]
    with pytest.raises(ConvertError, match="is one file, and 2 types"):
        convert_types(folder, tmp_path / "m.gguf", ["bf16", "f32"])


def test_a_type_that_only_the_quantizer_makes_is_pointed_there():
    with pytest.raises(ConvertError, match=r"'q4_k_m'.*convert quantize"):
        read_outtypes("f16,Q4_K_M")


def test_a_second_type_that_is_there_stops_all_before_the_first_is_made(
    folder, tmp_path
):
    (tmp_path / "tiny-qwen-q8_0.gguf").write_text("there")
    with pytest.raises(ConvertError, match="--force"):
        convert_types(folder, tmp_path, ["f16", "q8_0"])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_split_model_is_loaded_and_answers_as_the_whole_one(folder, tmp_path):
    whole = convert_model(folder, tmp_path / "whole.gguf", None, "f32")
    first = convert_model(folder, tmp_path / "part.gguf", None, "f32", split=100_000)
    parts = sorted(tmp_path.glob("part-*.gguf"))
    assert first == parts[0]
    assert len(parts) > 2
    assert all(part.stat().st_size < 150_000 for part in parts[1:])
    assert contents(*parts) == contents(whole)
    tokens = some_tokens(400)
    with NativeModel(first) as split, NativeModel(whole) as one:
        assert (split.logits(tokens) == one.logits(tokens)).all()


def test_parts_of_an_earlier_split_are_kept_or_all_replaced(folder, tmp_path):
    file = tmp_path / "part.gguf"
    convert_model(folder, file, None, "f32", split=100_000)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConvertError, match="--force"):
        convert_model(folder, file, None, "f32", split=200_000)
    assert sorted(tmp_path.iterdir()) == before
    convert_model(folder, file, None, "f32", split=200_000, force=True)
    after = sorted(tmp_path.iterdir())
    assert len(after) < len(before)
    assert len({part.name[-8:] for part in after}) == 1, "all of one split"


def test_a_size_that_all_of_it_fits_in_gives_one_file(folder, tmp_path):
    file = convert_model(folder, tmp_path / "m.gguf", split=10**9)
    assert list(tmp_path.iterdir()) == [file]


def test_the_gguf_says_what_it_is_told_to_say(folder, tmp_path):
    about = About("A name", "What it is.", "cc-by-4.0")
    found = contents(convert_model(folder, tmp_path / "m.gguf", about)).metadata
    assert found["general.name"] == "A name"
    assert found["general.description"] == "What it is."
    assert found["general.license"] == "cc-by-4.0"


def test_the_verb_prints_json_and_refuses_in_a_sentence(folder, tmp_path):
    run = CliRunner().invoke
    out = str(tmp_path / "m.gguf")
    done = run(app, ["gguf", str(folder), out, "--json", "--outtype", "f32"])
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said["architecture"] == "qwen2"
    assert said["files"][0]["file"] == out
    again = run(app, ["gguf", str(folder), out])
    assert isinstance(again.exception, ConvertError)
    assert run(app, ["gguf", str(folder), out, "--force"]).exit_code == 0


def anonymous() -> int:
    status = Path("/proc/self/status").read_text("ascii").split("RssAnon:")[1]
    return int(status.split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="wants Linux")
@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_writing_takes_little_memory_of_its_own_whatever_the_size(tmp_path, kind):
    folder = save_family(
        "llama", tmp_path / "large", hidden_size=1024, intermediate_size=4096
    )
    model = ModelFolder.open(folder)
    before = anonymous()
    peak = before
    done = threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        (file,) = model.write(tmp_path / "m.gguf", About(), kind, force=False)
    finally:
        done.set()
        watcher.join()
    size = (folder / "model.safetensors").stat().st_size
    assert file.stat().st_size > 30e6
    assert size > 100e6
    assert peak - before < 24e6, "less than the model, and than its largest weights"

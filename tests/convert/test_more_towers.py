"""The text of models of images by other makers, whichever way their files spell it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from convert.architectures.text_tower import of_images, plain_name
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model, notes_of
from convert.merge import merge
from tests.convert.conftest import ABOUT
from tests.convert.contents import contents
from tests.convert.families import change_json, save_family
from tests.convert.tiny_lora import save_adapter
from tests.convert.tiny_tower import ADAPTER, WEIGHTS, respell


def published(name: str, before: str) -> str:
    """As the makers publish them; `before` the text model's names."""
    plain = plain_name(name)
    return plain if of_images(name) else before + plain


def since_4_52(name: str) -> str:
    plain = plain_name(name)
    if of_images(name) or plain.startswith("lm_head."):
        return plain if plain.startswith("lm_head.") else f"model.{plain}"
    return plain.replace("model.", "model.language_model.", 1)


BEFORE = {"mistral3-images": "language_model.", "qwen2-images": ""}


@pytest.fixture(scope="module", params=BEFORE)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def tower(name, tmp_path_factory) -> Path:
    return save_family(name, tmp_path_factory.mktemp("tower") / "tower")


@pytest.fixture(scope="module")
def adapter(tower, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "adapter"
    return save_adapter(tower, folder, target_modules="all-linear")


def spelled(folder: Path, copy: Path, name: str, spelling: str) -> Path:
    shutil.copytree(folder, copy)
    respell(
        copy / WEIGHTS,
        since_4_52
        if spelling == "since 4.52"
        else lambda each: published(each, BEFORE[name]),
    )
    return copy


@pytest.mark.parametrize("spelling", ["published", "since 4.52"])
def test_each_spelling_gives_the_same_file_and_merges(
    tower, adapter, name, tmp_path, spelling
):
    folder = spelled(tower, tmp_path / "tower", name, spelling)
    found, expected = (
        contents(convert_model(each, tmp_path / f"{n}.gguf", ABOUT, "f32"))
        for n, each in enumerate((folder, tower))
    )
    assert found == expected
    assert not any(of_images(tensor) for tensor in found.tensors)
    one, two = (
        merge(base, adapter, tmp_path / f"merged {n}")
        for n, base in enumerate((folder, tower))
    )
    assert one.changed == two.changed > 2 * 7


def test_adapters_of_either_spelling_become_one_file(tower, adapter, name, tmp_path):
    older = shutil.copytree(adapter, tmp_path / "older")
    start = "base_model.model."
    respell(
        older / ADAPTER,
        lambda key: start + published(key.removeprefix(start), BEFORE[name]),
    )
    files = [
        convert_adapter(folder, tower, tmp_path / f"{n}.gguf", ABOUT, "f32")
        for n, folder in enumerate((adapter, older))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_of_images_is_counted_and_told(tower):
    (said,) = notes_of(tower)
    assert said.startswith("text only: images are not taken over; ")
    assert int(said.split("; ")[1].split()[0]) > 10


def test_a_mistral_of_another_kind_of_text_is_refused(tmp_path):
    folder = save_family("mistral3-images", tmp_path / "tower")
    change_json(folder / "config.json", text_config={"model_type": "mistral4"})
    with pytest.raises(ConvertError, match="`model_type` is 'mistral4'"):
        convert_model(folder, tmp_path / "m.gguf", ABOUT)


def test_an_older_qwen_has_its_settings_side_by_side(tmp_path):

    folder = save_family("qwen2-images", tmp_path / "tower")
    expected = contents(convert_model(folder, tmp_path / "a.gguf", ABOUT, "f32"))
    file = folder / "config.json"
    values = json.loads(file.read_text("utf-8"))
    text = values.pop("text_config")
    del text["rope_parameters"], text["model_type"]
    older = {"type": "mrope", "mrope_section": [2, 3, 3]}
    text |= {"rope_theta": 1e6, "rope_scaling": older}
    file.write_text(json.dumps(text | values), "utf-8")
    found = contents(convert_model(folder, tmp_path / "b.gguf", ABOUT, "f32"))
    assert found == expected

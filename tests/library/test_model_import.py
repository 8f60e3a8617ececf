from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from medassist.core.errors import ModelFileError
from medassist.core.files import sha256_of_file
from medassist.core.unpacked import Unpacked, write_unpacked
from medassist.library.catalogue import catalogue
from medassist.library.errors import LibraryError
from medassist.library.model_import import import_path, remove
from medassist.library.pairs import make_pair, set_asked, set_default
from medassist.library.registry import (
    NamedPair,
    PaneSettings,
    load_registry,
    models_dir,
    registry_file,
)
from tests.tiny_models import TinyPair, write_adapter


def verify_json(folder: Path, file: Path, passed: bool) -> None:
    entry = {
        "kind": "model",
        "file": file.name,
        "sha256": sha256_of_file(file),
        "quantization": "F32",
        "checks": [{"name": "logits", "passed": passed, "said": "", "figures": {}}],
        "more": "of a later version",
    }
    table = {"version": 1, "files": {entry["sha256"]: entry}}
    (folder / "verify.json").write_text(json.dumps(table))


@pytest.fixture
def run(tiny: TinyPair, tmp_path: Path) -> Path:
    """A run folder as `convert run` leaves it, without a card."""
    folder = tmp_path / "my-run" / "gguf"
    folder.mkdir(parents=True)
    shutil.copy(tiny.base, folder / "base-f32.gguf")
    shutil.copy(tiny.plain, folder / "adapter-plain.gguf")
    shutil.copy(tiny.activated, folder / "adapter-activated.gguf")
    verify_json(folder, folder / "base-f32.gguf", passed=True)
    return folder.parent


def test_a_linked_model_stays_where_it_is(home: Path, tiny: TinyPair) -> None:
    found = import_path(tiny.base)
    model = load_registry().models[found.models[0]]
    assert model.path == tiny.base
    assert model.origin == "linked"
    assert not (home / "data" / "models").exists()
    assert import_path(tiny.base).models == found.models
    assert stat.S_IMODE(registry_file().stat().st_mode) == 0o600


def test_a_copy_is_whole_private_and_deleted_only_when_told(
    home: Path, tiny: TinyPair
) -> None:
    import_path(tiny.base, "mine", copy=True)
    path = load_registry().models["mine"].path
    assert path.is_relative_to(models_dir())
    assert path.read_bytes() == tiny.base.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert remove("mine") == ()
    assert path.exists()
    import_path(tiny.base, "mine", copy=True)
    second = load_registry().models["mine"].path
    assert second != path
    assert remove("mine", delete=True) == (second,)
    assert not second.exists() and path.exists()


def test_a_linked_file_is_never_deleted(home: Path, tiny: TinyPair) -> None:
    (name,) = import_path(tiny.base).models
    with pytest.raises(LibraryError, match="not deleted"):
        remove(name, delete=True)
    assert name in load_registry().models
    remove(name)
    assert tiny.base.exists()


def test_a_registry_that_was_tampered_with_deletes_nothing_outside(
    home: Path, tiny: TinyPair, tmp_path: Path
) -> None:
    import_path(tiny.base, "mine", copy=True)
    letter = tmp_path / "letter.gguf"
    letter.write_text("precious")
    table = json.loads(registry_file().read_text())
    escaped = models_dir() / "mine" / ".." / ".." / ".." / ".." / "letter.gguf"
    table["models"]["mine"]["path"] = str(escaped)
    registry_file().write_text(json.dumps(table))
    with pytest.raises(LibraryError, match="not deleted"):
        remove("mine", delete=True)
    assert letter.exists()


def test_what_is_no_model_is_not_taken_in(home: Path, tmp_path: Path) -> None:
    letter = tmp_path / "letter.gguf"
    letter.write_text("Dear colleague " * 40)
    with pytest.raises(ModelFileError, match=r"letter\.gguf"):
        import_path(letter)
    with pytest.raises(ModelFileError, match="no such file"):
        import_path(tmp_path / "none.gguf")
    assert load_registry().models == {}


def test_a_run_becomes_a_pair_with_the_adapter_that_reads_once(
    home: Path, run: Path
) -> None:
    found = import_path(run)
    assert found.pair == "my-run"
    files = load_registry().files("my-run")
    assert files is not None and files.base and files.adapter
    assert files.base.name == "base-f32.gguf"
    assert files.adapter.name == "adapter-activated.gguf"
    assert "no card" in found.notes[0]
    assert import_path(run).pair == "my-run"
    assert len(load_registry().pairs) == 1


def test_a_copied_run_brings_what_the_gate_found(home: Path, run: Path) -> None:
    found = import_path(run, copy=True)
    shutil.rmtree(run)
    registry = load_registry()
    base = next(n for n in found.models if "base" in n)
    sha256_of = catalogue(registry, with_ollama=False)
    listed = {m.name: m for m in sha256_of.models}
    assert listed[base].verified == "not known yet"
    from medassist.library.lookup import details_of
    from medassist.settings import Settings

    shown = details_of(base, Settings().engine_options).model
    assert shown is not None and shown.verified == "verified"


def test_a_folder_without_models_says_what_to_do(home: Path, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="medassist convert run"):
        import_path(tmp_path)


@pytest.mark.parametrize("passed", [True, False])
def test_verified_holds_for_the_very_file_only(
    home: Path, tiny: TinyPair, tmp_path: Path, passed: bool
) -> None:
    from medassist.core.proofs import verdict

    file = tmp_path / "m.gguf"
    shutil.copy(tiny.base, file)
    assert verdict(file, sha256_of_file) == "not verified"
    verify_json(tmp_path, file, passed)
    assert verdict(file, sha256_of_file) == ("verified" if passed else "failed")
    assert verdict(file, lambda _: None) == "not known yet"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert verdict(file, sha256_of_file) == "not verified"


def test_verify_json_is_read_as_the_converter_writes_it(
    tiny: TinyPair, tmp_path: Path
) -> None:
    from convert.verify.result import record
    from medassist.core.proofs import Check, Verified, verdict

    file = tmp_path / "m.gguf"
    shutil.copy(tiny.base, file)
    found = Verified(
        kind="model",
        file=file.name,
        sha256=sha256_of_file(file),
        quantization="F32",
        model="m",
        model_sha256="0" * 64,
        checks=(Check(name="logits", passed=True, said="", figures={"x": 1.0}),),
        seconds=1.0,
    )
    record(file, found)
    assert verdict(file, sha256_of_file) == "verified"


def test_a_pair_is_held_together(home: Path, tiny: TinyPair, tmp_path: Path) -> None:
    import_path(tiny.base, "base")
    import_path(tiny.plain, "lora")
    make_pair("mine", "base", None, "lora")
    with pytest.raises(LibraryError, match="Remove the pair first"):
        remove("base")
    foreign = write_adapter(
        tmp_path / "f.gguf",
        {"blk.0.attn_q.weight.lora_a": tiny.weights["output_norm.weight"][None]},
        architecture="gpt2",
    )
    import_path(foreign, "foreign")
    with pytest.raises(ModelFileError, match="gpt2"):
        make_pair("wrong", "base", None, "foreign")
    for base, tuned, adapter in [
        (None, None, None),
        ("base", "base", "lora"),
        (None, "base", "lora"),
        ("nobody", None, None),
    ]:
        with pytest.raises(LibraryError):
            make_pair("wrong", base, tuned, adapter)
    with pytest.raises(LibraryError, match="another name"):
        make_pair("starter", "base", None, None)
    assert list(load_registry().pairs) == ["mine"]


def test_settings_stay_with_a_pair_that_is_changed(home: Path, tiny: TinyPair) -> None:
    import_path(tiny.base, "base")
    import_path(tiny.merged, "tuned")
    made = make_pair("mine", "base", None, None)
    asked = NamedPair(panes={"base": PaneSettings(system="Be brief.")})
    set_asked("mine", asked)
    assert made.asked("base").is_plain
    make_pair("mine", "base", "tuned", None)
    assert load_registry().pair("mine").asked("base").system == "Be brief."
    set_asked("starter", asked)
    assert load_registry().pair("starter").asked("base").system == "Be brief."
    assert load_registry().files("starter") is None


def test_the_default_goes_with_its_pair(home: Path, tiny: TinyPair) -> None:
    import_path(tiny.base, "base")
    make_pair("mine", "base", None, None)
    set_default("mine")
    assert load_registry().default == "mine"
    with pytest.raises(LibraryError, match="no pair"):
        set_default("other")
    remove("mine")
    assert load_registry().default is None


def test_a_missing_file_is_told_in_the_list_and_the_others_stay(
    home: Path, tiny: TinyPair, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.gguf"
    shutil.copy(tiny.base, gone)
    import_path(gone, "gone")
    import_path(tiny.merged, "here")
    make_pair("pair", "gone", None, None)
    gone.unlink()
    found = catalogue(load_registry(), with_ollama=False)
    listed = {m.name: m for m in found.models}
    assert "no such file" in listed["gone"].problem
    assert listed["here"].problem == "" and listed["here"].architecture == "llama"
    assert "no such file" in {p.name: p for p in found.pairs}["pair"].problem


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "a b", "x" * 81, "ollama:x"])
def test_a_name_that_could_be_a_path_is_refused(
    home: Path, tiny: TinyPair, name: str
) -> None:
    with pytest.raises(LibraryError, match="name"):
        import_path(tiny.base, name)


@pytest.mark.parametrize("text", ["{", '{"version": 9}', '{"models": {"a": {}}}', "[]"])
def test_a_broken_list_is_told_and_never_overwritten(
    home: Path, tiny: TinyPair, text: str
) -> None:
    registry_file().write_text(text)
    with pytest.raises(LibraryError, match=r"models\.json"):
        import_path(tiny.base)
    assert registry_file().read_text() == text


def test_two_programs_that_import_at_once_lose_nothing(
    home: Path, tiny: TinyPair
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def take(number: int) -> None:
        import_path(tiny.base, f"copy-{number}", copy=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(8)))
    assert set(load_registry().models) == {f"copy-{n}" for n in range(8)}


def trained_on(run: Path, gguf: Path, sha256: str) -> None:
    """Have `run` say that its adapter was trained on `gguf`."""
    (run / "base").mkdir(parents=True)
    said = Unpacked(str(gguf), {gguf.name: sha256}, 1)
    write_unpacked(run / "base", said)


def test_an_adapter_trained_on_a_gguf_is_paired_with_it(tiny: TinyPair, tmp_path: Path):
    run = tmp_path / "my-run"
    (run / "gguf").mkdir(parents=True)
    shutil.copy(tiny.plain, run / "gguf" / "adapter.gguf")
    trained_on(run, tiny.base, sha256_of_file(tiny.base))
    found = import_path(run)
    assert found.pair == "my-run"
    registry = load_registry()
    assert registry.pairs["my-run"].adapter == "my-run-adapter"
    base = registry.pairs["my-run"].base
    assert base is not None
    assert registry.models[base].path == tiny.base


def test_another_file_under_the_base_s_name_is_not_paired(
    tiny: TinyPair, tmp_path: Path
):
    run = tmp_path / "my-run"
    (run / "gguf").mkdir(parents=True)
    shutil.copy(tiny.plain, run / "gguf" / "adapter.gguf")
    trained_on(run, tiny.base, "0" * 64)
    with pytest.raises(LibraryError, match="no longer the file"):
        import_path(run)
    known = load_registry().models.values()
    assert not any(model.path.is_relative_to(run) for model in known)

"""A model in Ollama is what was sent, or the user is told that it is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from typer.testing import CliRunner, Result

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.model import About, convert_model
from convert.verify.result import record, require_verified
from medassist.core.card import read_card
from medassist.core.files import sha256_of_file
from medassist.core.proofs import Check, Verified
from medassist.core.validated import as_json, validated
from tests.convert import go_render
from tests.convert.ollama.conftest import Service
from tests.convert.ollama.fake_ollama import FakeOllama


def run(host: str, *arguments: object) -> Result:
    words = ["publish", *map(str, arguments), "--host", host, "--unverified"]
    return CliRunner().invoke(app, words)


def published(host: str, *arguments: object) -> dict:
    result = run(host, *arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def refusal(host: str, *arguments: object) -> str:
    result = run(host, *arguments)
    assert isinstance(result.exception, ConvertError), result.output
    return str(result.exception)


def equal(model: dict) -> dict[str, bool | None]:
    return {check["what"]: check["equal"] for check in model["checks"]}


def test_a_model_is_read_back_and_is_what_was_sent(service: Service, gguf_f32):
    told = published(
        service.host, "tiny", gguf_f32.base, "--system", "Be brief.",
        "-p", "temperature=0.25", "--stop", "\nQuestion:", "--message",
        "user: Hello", "--message", "assistant: Good day.",
    )  # fmt: skip
    (model,) = told["models"]
    found = equal(model)
    rendered = found.pop("prompt")
    assert found and set(found.values()) == {True}
    assert rendered is (True if service.state is None or go_render.go() else None)
    assert model["name"] == "tiny:latest"
    assert model["stops"] == ["<|end|>", "\nQuestion:"]
    assert model["parameters"]["temperature"] == 0.25


def test_base_and_adapter_become_one_model(service: Service, gguf_f32):
    told = published(
        service.host, "tiny-tuned", gguf_f32.base, "--adapter", gguf_f32.plain
    )
    assert equal(told["models"][0])["adapter"] is True


def test_several_files_are_tagged_with_their_quantization(
    service: Service, hf, gguf_f32, tmp_path
):
    small = convert_model(hf.base, tmp_path / "small.gguf", About("tiny"), "q8_0")
    told = published(service.host, "several", gguf_f32.base, small)
    names = [model["name"] for model in told["models"]]
    assert names == ["several:f32", "several:q8_0"]


def test_what_the_server_has_is_not_sent_again(fake: FakeOllama, gguf_f32):
    published(fake.host, "one", gguf_f32.base)
    sent = fake.state.received
    told = published(fake.host, "two", gguf_f32.base)
    assert sent == gguf_f32.base.stat().st_size
    assert fake.state.received == sent
    assert told["models"][0]["files"][0]["was_there"]


def test_a_dry_run_asks_the_server_nothing(fake: FakeOllama, gguf_f32):
    result = run(fake.host, "tiny", gguf_f32.base, "--dry-run")
    assert result.exception is None
    assert "would be made" in result.stdout
    assert fake.state.asked == []


def test_a_dry_run_lists_every_parameter_with_who_named_it(fake: FakeOllama, gguf_f32):
    result = run(
        fake.host, "tiny", gguf_f32.base, "--dry-run", "-p", "top_k=7", "--stop", "X"
    )
    said = [line.strip() for line in result.stdout.splitlines() if ": from " in line]
    assert said == [
        "stop '<|end|>': from the chat template",
        "stop 'X': from --stop",
        "num_ctx 256: from the GGUF (llama.context_length)",
        "top_k 7: from --parameter",
    ]
    (penalty,) = (line for line in result.stdout.splitlines() if "penalty" in line)
    assert "1.1 and looks at the answer alone" in penalty
    assert "1.0, which is none" in penalty and "looks at the prompt too" in penalty
    (model,) = published(fake.host, "tiny", gguf_f32.base, "--dry-run")["models"]
    assert set(model["parameters"]) == {"stop", "num_ctx"}
    assert [origin["name"] for origin in model["origins"]] == ["stop", "num_ctx"]


def test_a_name_that_is_taken_needs_force(service: Service, gguf_f32):
    published(service.host, "taken", gguf_f32.base, "--force")
    assert "--force" in refusal(service.host, "TAKEN", gguf_f32.base)
    published(service.host, "taken", gguf_f32.base, "--force")


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("other bytes", "tensors"),
        ("loses a tensor", "tensors"),
        ("another end", "metadata"),
        ("another template", "template"),
        ("loses a stop", "stops"),
        ("another temperature", "parameters"),
        ("loses the system", "system"),
        ("loses the adapter", "adapter"),
        ("cannot load", "prompt"),
        pytest.param("another prompt", "prompt", marks=go_render.needs_go),
    ],
)
def test_what_the_server_changed_is_named_and_not_pushed(
    fake: FakeOllama, gguf_f32, fault, what
):
    fake.state.faults = {fault}
    result = run(
        fake.host, "me/tiny", gguf_f32.base, "--adapter", gguf_f32.plain,
        "--system", "Be brief.", "--push",
    )  # fmt: skip
    assert f"is not what was sent: {what} (above)" in str(result.exception)
    assert f"{what}: DIFFERS" in result.stdout
    assert fake.state.pushed == []


def test_an_old_server_that_shows_no_prompt_is_said_to_show_none(
    fake: FakeOllama, gguf_f32
):
    fake.state.render = None
    told = published(fake.host, "tiny", gguf_f32.base)
    assert equal(told["models"][0])["prompt"] is None


def test_a_model_is_pushed_under_the_users_name(fake: FakeOllama, gguf_f32):
    told = published(fake.host, "me/tiny", gguf_f32.base, "--push")
    assert told["models"][0]["pushed"]
    assert fake.state.pushed == ["me/tiny:latest"]


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ("disk full", "make room"),
        ("disk full at create", "make room"),
        ("digest differs", "changed while it was sent"),
        ("breaks off an upload", "again with --force"),
        ("breaks off a create", "again with --force"),
        ("push denied", "publish as USER/NAME"),
        ("not signed in", "ollama signin"),
        ("push breaks off", "not sent again"),
    ],
)
def test_what_goes_wrong_is_told_with_the_next_step(
    fake: FakeOllama, gguf_f32, fault, step
):
    fake.state.faults = {fault}
    said = refusal(fake.host, "me/tiny", gguf_f32.base, "--push")
    assert step in said
    assert fake.host in said


def test_no_server_is_told_with_how_to_start_one(gguf_f32):
    assert "ollama serve" in refusal("127.0.0.1:9", "tiny", gguf_f32.base)


def test_an_old_server_is_told_to_be_updated(fake: FakeOllama, gguf_f32):
    fake.state.version = "0.5.4"
    assert "0.5.5 or later" in refusal(fake.host, "tiny", gguf_f32.base)
    assert fake.state.received == 0


def test_an_activated_adapter_is_refused_with_the_reason(fake: FakeOllama, gguf_f32):
    said = refusal(fake.host, "tiny", gguf_f32.base, "--adapter", gguf_f32.activated)
    assert "before 0.30 applies it from the first token" in said
    assert "from 0.34.1 on it takes no adapter" in said and "cannot be merged" in said
    assert fake.state.asked == []


def test_an_adapter_of_another_model_is_refused(fake: FakeOllama, gguf_f32):
    other = Path(__file__).parents[3] / "medassist/starter/adapter-plain.gguf"
    said = refusal(fake.host, "tiny", gguf_f32.base, "--adapter", other)
    assert "does not fit" in said


@pytest.mark.parametrize(
    "name", ["a b", "a/b/c/d", "", ":x", "a:", "../up", "-x", "ü", "a//b"]
)
def test_a_name_that_ollama_does_not_take_is_refused(fake: FakeOllama, gguf_f32, name):
    assert "is no name of a model" in refusal(fake.host, "--", name, gguf_f32.base)


def test_a_push_without_a_users_name_is_refused(fake: FakeOllama, gguf_f32):
    assert "USER/tiny" in refusal(fake.host, "tiny", gguf_f32.base, "--push")


def test_two_files_of_one_quantization_are_refused(fake: FakeOllama, gguf_f32):
    said = refusal(fake.host, "tiny", gguf_f32.base, gguf_f32.base)
    assert "both" in said
    assert "tag" in refusal(fake.host, "tiny:x", gguf_f32.base, gguf_f32.base)


def gate_saw(
    file: Path, *, passed: bool = True, kind: str = "model", base: str | None = None
) -> None:
    check = Check(name="logits", passed=passed, said="NMSE 2e-8")
    found = validated(
        Verified,
        {
            "kind": kind,
            "file": file.name,
            "sha256": sha256_of_file(file),
            "quantization": "F32",
            "model": "tiny",
            "model_sha256": "0" * 64,
            "base_model_sha256": base,
            "checks": [as_json(check)],
            "seconds": 1.0,
        },
    )
    record(file, found)


def test_what_the_gate_passed_is_published_without_more_ado(
    fake: FakeOllama, gguf_f32, tmp_path
):
    file = Path(shutil.copy(gguf_f32.base, tmp_path / "model.gguf"))
    lora = Path(shutil.copy(gguf_f32.plain, tmp_path / "lora.gguf"))
    words = ["publish", "tiny", str(file), "--adapter", str(lora), "--host", fake.host]

    def said() -> str:
        return str(CliRunner().invoke(app, words).exception)

    assert "model.gguf is not verified" in said()
    gate_saw(file, passed=False)
    assert "did not pass" in said()
    gate_saw(file)
    assert "lora.gguf is not verified" in said()
    gate_saw(lora, kind="adapter", base="1" * 64)
    assert "lora.gguf was verified on another model" in said()
    gate_saw(lora, kind="adapter", base="0" * 64)
    assert fake.state.asked == []
    result = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(result.stdout)["models"][0]["verified"]
    with file.open("ab") as opened:
        opened.write(b"x")
    assert "was changed since" in said()
    assert "--unverified" in said()


def test_a_dry_run_shows_what_is_not_verified_and_which_proofs_are_missing(
    fake: FakeOllama, hf, gguf_f32, tmp_path
):
    file = convert_model(hf.base, tmp_path / "my small.gguf", About("tiny"), "q8_0")
    lora = Path(shutil.copy(gguf_f32.plain, tmp_path / "lora.gguf"))
    words = [
        "publish", "tiny", str(file), "--adapter", str(lora), "--host", fake.host,
        "--dry-run",
    ]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exception is None
    assert "would be made" in result.stdout
    assert "num_ctx 256: from the GGUF" in result.stdout
    shown = result.stdout
    assert "convert verify MODEL 'my small.gguf' --against F16.gguf" in shown
    assert (
        "convert verify MODEL F16.gguf --adapter ADAPTER --adapter-gguf lora.gguf"
        in shown
    )
    assert "--unverified" in shown
    result = CliRunner().invoke(app, [*words, "--json"])
    (model,) = json.loads(result.stdout)["models"]
    assert not model["verified"]
    assert len(model["missing_proofs"]) == 2
    assert [one["sha256"] for one in model["files"]] == [
        sha256_of_file(file),
        sha256_of_file(lora),
    ]
    gate_saw(file)
    gate_saw(lora, kind="adapter", base="0" * 64)
    result = CliRunner().invoke(app, [*words, "--json"])
    (model,) = json.loads(result.stdout)["models"]
    assert model["verified"] and not model["missing_proofs"]
    assert fake.state.asked == []


def test_the_card_of_a_run_gets_the_digest_of_what_was_published(
    fake: FakeOllama, gguf_f32, tmp_path
):
    starter = Path(__file__).parents[3] / "medassist/starter/card.json"
    shutil.copy(starter, tmp_path / "card.json")
    (tmp_path / "gguf").mkdir()
    file = Path(shutil.copy(gguf_f32.base, tmp_path / "gguf" / "model.gguf"))
    told = published(fake.host, "me/tiny:f32", file)
    (digest,) = read_card(tmp_path / "card.json").lineage.ollama.values()
    assert told["models"][0]["manifest"].endswith(digest)
    assert len(digest) == 64
    assert "me/tiny:f32" in read_card(tmp_path / "card.json").lineage.ollama


def split(file: Path, folder: Path) -> list[Path]:
    """`file` as a model of several files."""
    whole = GGUFReader(file)
    writer = GGUFWriter(folder / "big.gguf", "llama", split_max_tensors=8)
    for key, entry in whole.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            kind = entry.types[0]
            inner = entry.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(key, entry.contents(), kind, inner)
    for tensor in whole.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("big-*.gguf"))


def test_a_split_model_is_one_model(fake: FakeOllama, gguf_f32, tmp_path):
    first, second, *more = split(gguf_f32.base, tmp_path)
    told = published(fake.host, "big", first)
    (model,) = told["models"]
    assert len(model["files"]) == 2 + len(more)
    assert equal(model)["tensors"] and equal(model)["metadata"]
    assert "give its first part" in refusal(fake.host, "big2", second)
    second.unlink()
    assert f"{second} is not there" in refusal(fake.host, "big2", first)


@pytest.fixture
def pair(gguf_f32, tmp_path) -> tuple[Path, Path]:
    """A base and a plain adapter of it, both verified."""
    base = Path(shutil.copy(gguf_f32.base, tmp_path / "base.gguf"))
    lora = Path(shutil.copy(gguf_f32.plain, tmp_path / "lora.gguf"))
    gate_saw(base)
    gate_saw(lora, kind="adapter", base="0" * 64)
    return base, lora


def with_adapter(host: str, pair: tuple[Path, Path], *more: str) -> dict:
    """The one model that is made of a verified pair."""
    base, lora = map(str, pair)
    words = ["publish", "me/tuned", base, "--adapter", lora, "--host", host, "--json"]
    result = CliRunner().invoke(app, [*words, *more])
    assert result.exception is None, result.exception
    (model,) = json.loads(result.stdout)["models"]
    return model


@pytest.mark.parametrize("fault", ["refuses adapters", "refuses adapters late"])
def test_where_adapters_are_refused_the_merged_proven_file_is_published(
    fake: FakeOllama, pair, fault
):
    fake.state.faults = {fault}
    model = with_adapter(fake.host, pair, "--push")
    merged = pair[1].with_name("base-lora.gguf")
    assert [sent["file"] for sent in model["files"]] == [str(merged)]
    proof = require_verified(merged)
    assert proof.sha256 == model["files"][0]["sha256"] == sha256_of_file(merged)
    assert proof.adapter_sha256 == sha256_of_file(pair[1])
    assert model["verified"] and model["pushed"]
    note = model["notes"][0]
    assert "were merged, since the server takes no adapter" in note
    assert "supported)" in note
    assert str(merged) in note
    found = equal(model)
    assert "adapter" not in found
    assert found["tensors"] and found["template"] and found["metadata"]
    before = merged.stat().st_mtime_ns
    again = with_adapter(fake.host, pair, "--force")
    assert again["verified"] and merged.stat().st_mtime_ns == before


@pytest.mark.parametrize("version", ["0.34.1", "0.34.1-rc2", "0.35.0", "1.0.0"])
def test_a_server_that_is_known_to_take_no_adapter_is_sent_the_merged_file_alone(
    fake: FakeOllama, pair, version
):
    fake.state.version = version
    model = with_adapter(fake.host, pair)
    merged = pair[1].with_name("base-lora.gguf")
    assert fake.state.received == merged.stat().st_size
    assert fake.state.asked.count("POST /api/create") == 1
    assert f"takes no adapter (it is Ollama {version})" in model["notes"][0]
    assert model["verified"] and model["ollama"] == version


@pytest.mark.parametrize("version", ["0.24.0", "0.34.0", "0.0.0", "0.0.0-dirty"])
def test_a_server_of_which_it_is_not_known_is_asked(fake: FakeOllama, pair, version):
    fake.state.version = version
    assert equal(with_adapter(fake.host, pair))["adapter"] is True


def test_an_adapter_that_the_server_takes_is_not_merged(fake: FakeOllama, pair):
    model = with_adapter(fake.host, pair)
    assert equal(model)["adapter"] is True
    assert not pair[1].with_name("base-lora.gguf").exists()


def test_merge_publishes_one_file_without_asking_for_an_adapter(fake: FakeOllama, pair):
    model = with_adapter(fake.host, pair, "--merge")
    assert fake.state.models["me/tuned:latest"].adapter is None
    assert "were merged." in model["notes"][0]
    assert fake.state.asked.count("POST /api/create") == 1


def test_a_dry_run_names_the_file_that_would_be_merged(fake: FakeOllama, pair):
    merged = pair[1].with_name("base-lora.gguf")
    notes = with_adapter(fake.host, pair, "--dry-run")["notes"]
    assert notes[0].startswith("Where the server takes no adapter")
    assert str(merged) in notes[0]
    notes = with_adapter(fake.host, pair, "--dry-run", "--merge")["notes"]
    assert notes[0].startswith("The two are merged into")
    assert not merged.exists() and fake.state.asked == []


def test_another_file_in_the_merged_ones_place_is_not_lost(fake: FakeOllama, pair):
    merged = pair[1].with_name("base-lora.gguf")
    merged.write_bytes(b"precious")
    base, lora = map(str, pair)
    words = ["publish", "t", base, "--adapter", lora, "--host", fake.host, "--merge"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ConvertError)
    assert "--force" in str(result.exception)
    assert merged.read_bytes() == b"precious"


def test_merging_without_an_adapter_is_refused(fake: FakeOllama, gguf_f32):
    assert "--adapter" in refusal(fake.host, "tiny", gguf_f32.base, "--merge")


def test_a_full_disk_is_not_taken_for_a_refused_adapter(fake: FakeOllama, pair):
    fake.state.faults = {"disk full at create"}
    base, lora = map(str, pair)
    words = ["publish", "tiny", base, "--adapter", lora, "--host", fake.host]
    assert "make room" in str(CliRunner().invoke(app, words).exception)
    assert not pair[1].with_name("base-lora.gguf").exists()


@pytest.mark.parametrize("kind", ["split", "q8_0"])
def test_a_split_or_quantized_base_is_merged_into_one_file(
    fake: FakeOllama, hf, gguf_f32, tmp_path, kind
):
    fake.state.faults = {"refuses adapters"}
    lora = Path(shutil.copy(gguf_f32.plain, tmp_path / "lora.gguf"))
    base = (
        split(gguf_f32.base, tmp_path)[0]
        if kind == "split"
        else convert_model(hf.base, tmp_path / "big.gguf", About("tiny"), kind)
    )
    words = ("tiny", base, "--adapter", lora)
    (planned,) = published(fake.host, *words, "--dry-run")["models"]
    assert ("become F16 in it" in planned["notes"][0]) is (kind == "q8_0")
    (model,) = published(fake.host, *words)["models"]
    (sent,) = model["files"]
    assert Path(sent["file"]) == tmp_path / "big-lora.gguf"
    assert require_verified(tmp_path / "big-lora.gguf").passed
    assert equal(model)["tensors"] is True
    assert not model["verified"]

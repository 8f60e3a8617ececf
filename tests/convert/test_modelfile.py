"""The Modelfile says to Ollama what the model's own template and tokens say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.model import convert_model
from convert.go_template.source import read_source
from convert.modelfile import ModelfileParts, modelfile
from convert.ollama.model_settings import (
    OllamaSettings,
    OllamaWishes,
    settings_of,
)
from medassist.core.run_folder import OWN_CARD
from medassist.starter import OWN_ADAPTERS
from tests.convert.chat_templates import (
    GEMMA_2,
    LLAMA_3,
    NO_SYSTEM_AT_ALL,
    SPOKEN,
    THINKS,
    ZEPHYR,
    Spoken,
)
from tests.convert.modelfile_reader import read_modelfile
from tests.tiny_models import TinyPair, write_pair

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "medassist" / "starter"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["modelfile", *map(str, words)])


def refusal(*words: object) -> str:
    result = run(*words)
    assert isinstance(result.exception, ConvertError), result.output
    return str(result.exception)


def settings(**changed: object) -> OllamaSettings:
    values: dict = {
        "template": "{{ .Prompt }}",
        "system": None,
        "stops": (),
        "parameters": {},
        "licences": (),
        "messages": (),
        **changed,
    }
    return OllamaSettings(**values)


def test_the_modelfile_of_the_clone_is_what_the_command_writes(real_base, monkeypatch):
    monkeypatch.chdir(ROOT)
    plain = STARTER / OWN_ADAPTERS["plain"]
    card = plain.with_suffix(OWN_CARD)
    result = run(real_base, "--adapter", plain, "--card", card)
    assert result.exception is None
    assert "Ollama from 0.34.1 on takes no ADAPTER" in result.stderr
    # The clone's names both in one file, with a line above that says who makes it.
    first, own = (ROOT / "Modelfile").read_text("utf-8").split("\n", 1)
    assert "`make ollama`" in first
    written = result.stdout.splitlines(keepends=True)
    files = [line for line in written if line.startswith(("FROM ", "ADAPTER "))]
    (source,) = files
    assert source.endswith(f"{real_base.stem}-{plain.stem}.gguf\n")
    rest = [line for line in written if line not in files]
    assert rest == [
        line for line in own.splitlines(keepends=True) if not line.startswith("FROM ")
    ]


@pytest.mark.parametrize("name", SPOKEN)
def test_what_a_modelfile_says_arrives_whole(name, tmp_path):
    spoken = SPOKEN[name]
    wishes = OllamaWishes(
        stops=("\nQuestion:", "\n### End\n", 'a "quoted" stop'),
        licences=("Use it well.\n\n  Or 'not'.\n", 'He said: "yes"'),
        messages=(("user", "Hello"), ("assistant", "Good\n\nday: you")),
        parameters={"temperature": 0.25, "use_mmap": False},
        date=spoken.date,
    )
    made = settings_of(spoken.gguf(tmp_path / "m.gguf"), wishes)
    text = modelfile(ModelfileParts("./m.gguf", "./a b.gguf", made, "One\ntwo"))
    assert text.startswith("# One\n# two\nFROM ")
    found = read_modelfile(text)
    parameters = [value.split(" ", 1) for word, value in found if word == "PARAMETER"]
    assert found[:3] == [
        ("FROM", "./m.gguf"),
        ("ADAPTER", "./a b.gguf"),
        ("TEMPLATE", made.template),
    ]
    assert [value for name, value in parameters if name == "stop"] == list(made.stops)
    assert ["temperature", "0.25"] in parameters
    assert ["use_mmap", "false"] in parameters
    assert [v for w, v in found if w == "LICENSE"] == list(wishes.licences)
    assert [v for w, v in found if w == "MESSAGE"] == [
        "user Hello",
        "assistant Good\n\nday: you",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"system": 'a """ b'}, "three quotes"),
        ({"licences": ("a\u00a0b",)}, "U\\+00A0"),
        ({"messages": (("user", "a\u200bb"),)}, "U\\+200B"),
        ({"stops": ("\x07",)}, "U\\+0007"),
    ],
)
def test_a_text_that_a_modelfile_cannot_hold_is_refused(changed, said):
    with pytest.raises(ConvertError, match=said):
        modelfile(ModelfileParts("./m.gguf", None, settings(**changed)))


@pytest.mark.parametrize("path", ['a".gguf', " a.gguf", "a\n.gguf"])
def test_a_file_that_a_modelfile_cannot_name_is_refused(path):
    with pytest.raises(ConvertError, match="cannot name"):
        modelfile(ModelfileParts(path, None, settings()))


def test_every_token_that_ends_an_answer_is_a_stop(tmp_path):
    made = settings_of(GEMMA_2.gguf(tmp_path / "m.gguf"), OllamaWishes(stops=("STOP",)))
    assert made.stops == ("<end_of_turn>", "<eos>", "STOP")
    folder = LLAMA_3.folder(tmp_path / "hf")
    more = LLAMA_3.tokenizer().convert_tokens_to_ids("<|start_header_id|>")
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [more], "temperature": 0.6, "top_p": 0.9})
    )
    made = settings_of(folder, OllamaWishes(parameters={"top_p": 0.5}))
    assert made.stops == ("<|eot_id|>", "<|start_header_id|>")
    assert (made.parameters["temperature"], made.parameters["top_p"]) == (0.6, 0.5)


def test_answers_that_would_never_end_are_refused(tmp_path):
    endless = Spoken(
        "{% for m in messages %}{{ m.role ~ ' ' ~ m.content ~ ' ' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant ' }}{% endif %}",
        bos=None,
        eos="",
        adds_bos=False,
    )
    path = endless.gguf(tmp_path / "m.gguf")
    with pytest.raises(ConvertError, match="never end"):
        settings_of(path, OllamaWishes())
    assert settings_of(path, OllamaWishes(stops=("user",))).stops == ("user",)


def named(made: OllamaSettings) -> dict[str, str]:
    """Who named each parameter."""
    return {p.name: p.source for p in made.origins if p.name != "stop"}


def test_no_parameter_is_there_that_nobody_named(tmp_path):
    path = ZEPHYR.gguf(tmp_path / "m.gguf")
    made = settings_of(path, OllamaWishes())
    assert made.parameters == {"num_ctx": 4096}
    assert named(made) == {"num_ctx": "the GGUF (llama.context_length)"}
    assert settings_of(ZEPHYR.folder(tmp_path / "hf"), OllamaWishes()).parameters == {}


def test_what_the_models_files_recommend_is_passed_on_with_its_place(tmp_path):
    folder = ZEPHYR.folder(tmp_path / "hf")
    advice = {
        "temperature": 0.6,
        "top_k": 20.0,
        "top_p": "much",
        "repetition_penalty": 1.05,
        "max_new_tokens": 64,
        "min_p": None,
    }
    (folder / "generation_config.json").write_text(json.dumps(advice), "utf-8")
    made = settings_of(folder, OllamaWishes(parameters={"repeat_penalty": 1.0}))
    assert made.parameters == {"repeat_penalty": 1.0, "temperature": 0.6, "top_k": 20}
    assert "PARAMETER top_k 20\n" in modelfile(ModelfileParts("./m", None, made))
    assert named(made) == {
        "temperature": "generation_config.json (temperature)",
        "top_k": "generation_config.json (top_k)",
        "repeat_penalty": "--parameter",
    }
    assert any("'much'" in note and "top_p" in note for note in made.notes)


def test_a_gguf_carries_what_its_folder_recommended(hf, tmp_path):
    folder = tmp_path / "hf"
    shutil.copytree(hf.base, folder)
    advice = {"temperature": 0.6, "top_k": 20, "repetition_penalty": 1.05, "min_p": 0.1}
    (folder / "generation_config.json").write_text(json.dumps(advice), "utf-8")
    made = settings_of(convert_model(folder, tmp_path / "m.gguf"), OllamaWishes())
    assert made.parameters == {
        "num_ctx": 256,
        "temperature": 0.6,
        "top_k": 20,
        "min_p": 0.1,
        "repeat_penalty": 1.05,
    }
    assert named(made)["repeat_penalty"] == (
        "the GGUF (general.sampling.penalty_repeat)"
    )


def test_the_context_is_the_models_unless_that_is_very_long(tmp_path):
    path = ZEPHYR.gguf(tmp_path / "m.gguf")
    made = settings_of(path, OllamaWishes(context=512, card_context=1024))
    assert made.parameters["num_ctx"] == 512
    assert named(made)["num_ctx"] == "--num-ctx"
    made = settings_of(path, OllamaWishes(card_context=1024))
    assert made.parameters["num_ctx"] == 1024
    assert named(made)["num_ctx"] == "the card (context)"
    folder = ZEPHYR.folder(tmp_path / "hf")
    (folder / "config.json").write_text(
        json.dumps({"max_position_embeddings": 131072, "model_type": "llama"})
    )
    made = settings_of(folder, OllamaWishes())
    assert "num_ctx" not in made.parameters
    assert any("131,072" in note for note in made.notes)
    made = settings_of(folder, OllamaWishes(context=131072))
    assert made.parameters["num_ctx"] == 131072
    assert not any("131,072" in note for note in made.notes)


def test_a_stop_that_the_card_names_is_one(tmp_path):
    made = settings_of(
        ZEPHYR.gguf(tmp_path / "m.gguf"), OllamaWishes(card_stops=("###",))
    )
    assert made.stops == ("</s>", "###")
    assert made.origins[1].source == "the card"


def test_the_command_says_who_named_each_parameter(tmp_path):
    path = ZEPHYR.gguf(tmp_path / "m.gguf")
    result = run(path, "-p", "temperature=0.2", "--stop", "###", "--json")
    said = [line for line in result.stderr.splitlines() if line[:9] == "PARAMETER"]
    assert said == [
        "PARAMETER stop '</s>': from the chat template",
        "PARAMETER stop '###': from --stop",
        "PARAMETER num_ctx 4096: from the GGUF (llama.context_length)",
        "PARAMETER temperature 0.2: from --parameter",
    ]
    told = json.loads(result.stdout)["origins"]
    assert told[-1] == {"name": "temperature", "value": 0.2, "source": "--parameter"}


def test_a_system_text_that_would_not_reach_the_model_is_refused(tmp_path):
    path = NO_SYSTEM_AT_ALL.gguf(tmp_path / "m.gguf")
    with pytest.raises(ConvertError, match="leave out --system"):
        settings_of(path, OllamaWishes(system="Be brief."))


def test_a_begin_token_that_only_the_runtime_writes_is_told(tmp_path):
    made = settings_of(ZEPHYR.gguf(tmp_path / "m.gguf"), OllamaWishes())
    assert any("begin token <s>" in note for note in made.notes)
    assert read_source(LLAMA_3.gguf(tmp_path / "l.gguf")).writes_bos()


def test_thinking_that_stays_in_earlier_answers_is_told(tmp_path):
    made = settings_of(THINKS.gguf(tmp_path / "m.gguf"), OllamaWishes())
    assert any("<think>" in note for note in made.notes)
    made = settings_of(ZEPHYR.gguf(tmp_path / "z.gguf"), OllamaWishes())
    assert not any("<think>" in note for note in made.notes)


def test_a_template_written_by_hand_stands_as_it_is(tmp_path):
    odd = Spoken("{{ messages | length }}", bos=None, eos="<e>", adds_bos=False)
    path, hand = odd.gguf(tmp_path / "m.gguf"), tmp_path / "hand"
    assert "--template" in refusal(path)
    hand.write_text("{{ .Prompt }}")
    assert 'TEMPLATE """{{ .Prompt }}"""' in run(path, "--template", hand).stdout
    # The line end that an editor puts behind the last line is no part of a prompt.
    hand.write_bytes(hand.read_bytes() + b"\r\n")
    assert 'TEMPLATE """{{ .Prompt }}"""' in run(path, "--template", hand).stdout


def test_the_command_writes_a_file_once_and_names_files_from_there(tmp_path):
    path, out = ZEPHYR.gguf(tmp_path / "m.gguf"), tmp_path / "Modelfile"
    assert run(path, "--out", out).exception is None
    assert "FROM ./m.gguf\n" in out.read_text()
    out.write_text("mine")
    assert "--force" in refusal(path, "--out", out)
    assert out.read_text() == "mine"
    told = json.loads(run(path, "--out", out, "--force", "--json").stdout)
    assert told["modelfile"] == out.read_text()


def test_a_folder_needs_the_weights_to_be_named(tmp_path):
    folder = ZEPHYR.folder(tmp_path / "hf")
    assert "--from" in refusal(folder)
    assert run(folder, "--from", "zephyr:7b").stdout.startswith("FROM zephyr:7b\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "heat=1"), "expected NAME=VALUE"),
        (("-p", "top_k=many"), "a whole number"),
        (("-p", "use_mmap=maybe"), "true or false"),
        (("-p", "temperature=nan"), "a number"),
        (("-p", "stop=x"), "--stop"),
        (("--message", "nobody: hi"), "expected 'user"),
        (("--license", "/nowhere"), "cannot be read"),
        (("--adapter", STARTER / "base-q8_0.gguf"), "`convert adapter`"),
        (("--adapter", STARTER / "adapter-activated.gguf"), "from the first token"),
        (("--out", "/nowhere/Modelfile"), "make it first"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(words, said):
    assert said in refusal(STARTER / "base-q8_0.gguf", *words)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


def test_an_adapter_is_named_as_the_one_file_that_is_merged_of_both(tiny, tmp_path):
    base = Path(shutil.copy(tiny.base, tmp_path / "base.gguf"))
    lora = Path(shutil.copy(tiny.plain, tmp_path / "lora.gguf"))
    merged, out = tmp_path / "base-lora.gguf", tmp_path / "Modelfile"

    def notes() -> str:
        result = run(base, "--adapter", lora, "--out", out, "--force", "--json")
        assert result.exception is None, result.exception
        found = read_modelfile(out.read_text("utf-8"))
        assert found[0] == ("FROM", "./base-lora.gguf")
        assert not [word for word, _ in found if word == "ADAPTER"]
        return json.loads(result.stdout)["notes"][-1]

    command = f"medassist convert merge {base} {lora} {merged}"
    assert notes().endswith(command)
    made = CliRunner().invoke(app, ["merge", str(base), str(lora), str(merged)])
    assert made.exception is None, made.output
    assert notes().endswith("which is proven.")
    with merged.open("ab") as opened:
        opened.write(b"x")
    assert notes().endswith(f"{command} --force")


def test_an_adapter_on_a_model_that_ollama_alone_has_stays_beside_it(tiny, tmp_path):
    lora = Path(shutil.copy(tiny.plain, tmp_path / "lora.gguf"))
    out = tmp_path / "Modelfile"
    result = run(tiny.base, "--from", "tiny:latest", "--adapter", lora, "--out", out)
    assert result.exception is None, result.exception
    found = read_modelfile(out.read_text("utf-8"))
    assert found[:2] == [("FROM", "tiny:latest"), ("ADAPTER", "./lora.gguf")]
    assert "tiny:latest is no file to merge with" in result.stderr

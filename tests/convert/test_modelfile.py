"""The Modelfile says to Ollama what the model's own template and tokens say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from convert.commands import app
from convert.errors import ConvertError
from convert.go_template.source import read_source
from convert.modelfile import ModelfileParts, modelfile
from convert.ollama.settings import (
    MOST_CONTEXT,
    OllamaSettings,
    Wishes,
    settings_of,
)
from convert.starter_run import SYSTEM
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


def test_the_modelfile_of_the_clone_is_what_the_command_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run(
        "medassist/starter/base-q8_0.gguf",
        "--adapter", "medassist/starter/adapter-plain.gguf",
        "--card", "medassist/starter/card.json",
        "--system", SYSTEM,
    )  # fmt: skip
    assert result.exception is None
    assert result.stdout == (ROOT / "Modelfile").read_text("utf-8")


@pytest.mark.parametrize("name", SPOKEN)
def test_what_a_modelfile_says_arrives_whole(name, tmp_path):
    spoken = SPOKEN[name]
    wishes = Wishes(
        stops=("\nQuestion:", 'a "quoted" stop'),
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
    made = settings_of(GEMMA_2.gguf(tmp_path / "m.gguf"), Wishes(stops=("STOP",)))
    assert made.stops == ("<end_of_turn>", "<eos>", "STOP")
    folder = LLAMA_3.folder(tmp_path / "hf")
    more = LLAMA_3.tokenizer().convert_tokens_to_ids("<|start_header_id|>")
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [more], "temperature": 0.6, "top_p": 0.9})
    )
    made = settings_of(folder, Wishes(parameters={"top_p": 0.5}))
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
        settings_of(path, Wishes())
    assert settings_of(path, Wishes(stops=("user",))).stops == ("user",)


def test_the_context_is_the_models_unless_that_is_very_long(tmp_path):
    path = ZEPHYR.gguf(tmp_path / "m.gguf")
    assert settings_of(path, Wishes()).parameters["num_ctx"] == 4096
    assert settings_of(path, Wishes(context=512)).parameters["num_ctx"] == 512
    folder = ZEPHYR.folder(tmp_path / "hf")
    (folder / "config.json").write_text(
        json.dumps({"max_position_embeddings": 131072, "model_type": "llama"})
    )
    made = settings_of(folder, Wishes())
    assert made.parameters["num_ctx"] == MOST_CONTEXT
    assert any("131072" in note for note in made.notes)


def test_a_system_text_that_would_not_reach_the_model_is_refused(tmp_path):
    path = NO_SYSTEM_AT_ALL.gguf(tmp_path / "m.gguf")
    with pytest.raises(ConvertError, match="leave out --system"):
        settings_of(path, Wishes(system="Be brief."))


def test_a_begin_token_that_only_the_runtime_writes_is_told(tmp_path):
    made = settings_of(ZEPHYR.gguf(tmp_path / "m.gguf"), Wishes())
    assert any("begin token <s>" in note for note in made.notes)
    assert read_source(LLAMA_3.gguf(tmp_path / "l.gguf")).writes_bos()


def test_thinking_that_stays_in_earlier_answers_is_told(tmp_path):
    made = settings_of(THINKS.gguf(tmp_path / "m.gguf"), Wishes())
    assert any("<think>" in note for note in made.notes)
    made = settings_of(ZEPHYR.gguf(tmp_path / "z.gguf"), Wishes())
    assert not any("<think>" in note for note in made.notes)


def test_a_template_written_by_hand_stands_as_it_is(tmp_path):
    odd = Spoken("{{ messages | length }}", bos=None, eos="<e>", adds_bos=False)
    path, hand = odd.gguf(tmp_path / "m.gguf"), tmp_path / "hand"
    assert "--template" in refusal(path)
    hand.write_text("{{ .Prompt }}")
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

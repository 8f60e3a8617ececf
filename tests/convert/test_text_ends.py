"""A template that ends answers with text, from the folder to the answer on the screen.

ChatML on a base whose tokenizer never had its tokens, and turns as "ROLE: text": the
GGUF gets the tokenizer's end token, everybody gets the text, and the user is told.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convert.commands import app
from convert.gguf.contents import read_facts
from convert.go_template.source import read_source
from convert.ollama.model_settings import OllamaWishes, settings_of
from convert.run.convert import convert_run_folder
from convert.run.run_steps import RunWishes
from convert.verify.gate import verify_model
from medassist.core.card import Card, Lineage, read_card, write_card
from medassist.core.values import PairFiles
from medassist.engine.template_probe import probe
from tests.convert.test_run import write_run
from tests.engine.conversation import tiny_engine

ASKS = "{% if add_generation_prompt %}"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}" + ASKS + "<|im_start|>assistant\n{% endif %}"
)
SPOKEN = (
    "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}"
    + ASKS
    + "ASSISTANT:{% endif %}"
)
ENDS = [(CHATML, "<|im_end|>"), (SPOKEN, "\nUSER:")]


def with_template(base: Path, folder: Path, template: str) -> Path:
    shutil.copytree(base, folder)
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


@pytest.mark.parametrize(("template", "stop"), ENDS, ids=["ChatML", "roles"])
async def test_such_a_model_is_converted_verified_and_cut_at_its_text(
    hf, tmp_path, template, stop
):
    folder = with_template(hf.base, tmp_path / "hf", template)
    file = tmp_path / "m.gguf"
    done = CliRunner().invoke(app, ["gguf", str(folder), str(file)])
    assert done.exception is None, done.exception
    told = "".join(done.stdout.split())
    assert repr(stop) in told and "stoptext" in told
    facts = read_facts(file)
    assert facts.ends == (facts.text(facts.eos),) == ("<|end|>",)
    assert verify_model(folder, file, threads=1).passed

    assert probe(file).stop == stop
    async with tiny_engine(PairFiles(base=file)) as engine:
        assert engine.loaded is not None
        assert any(repr(stop.strip()) in notice for notice in engine.loaded.notices)
    for path in (folder, file):
        made = settings_of(path, OllamaWishes())
        assert made.stops == (stop, "<|end|>")
        assert any("stop text" in note for note in made.notes)


def test_a_template_that_tells_no_end_is_told_where_ollama_gets_it(hf, tmp_path):
    template = "{% for m in messages %}{{ m.content }}\n\n{% endfor %}"
    folder = with_template(hf.base, tmp_path / "hf", template)
    made = settings_of(folder, OllamaWishes(stops=("\n\n\n",)))
    assert made.stops == ("<|end|>", "\n\n\n")
    assert any("tells no end" in note for note in made.notes)
    assert read_source(folder).ends == ("<|end|>",)


def card() -> Card:
    return Card(
        name="tiny",
        what="A tiny model.",
        cannot=("anything",),
        licence="CC BY 4.0",
        architecture="llama",
        parameters=1,
        context=256,
        lineage=Lineage(recipe="0" * 64, base="0" * 64),
        sources=(),
    )


def test_a_run_says_the_text_and_puts_it_on_card_and_modelfile(tmp_path):
    run = write_run(tmp_path / "run")
    for folder in ("base", "adapter"):
        (run / folder / "chat_template.jinja").write_text(CHATML, "utf-8")
    settings = run / "base" / "generation_config.json"
    advised = json.loads(settings.read_text("utf-8")) | {"temperature": 0.6}
    settings.write_text(json.dumps(advised), "utf-8")
    write_card(card(), run / "card.json")
    found = convert_run_folder(run, wishes=RunWishes(threads=1, stops=("STOP",)))
    named = {(p.name, p.value): p.source for p in found.parameters}
    assert named[("stop", "<|im_end|>")] == "the chat template"
    assert named[("stop", "STOP")] == "--stop"
    assert named[("temperature", 0.6)] == "the GGUF (general.sampling.temp)"
    assert any("'<|im_end|>'" in note for note in found.notes)
    lines = (run / "Modelfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("PARAMETER")] == [
        'PARAMETER stop "<|im_end|>"',
        'PARAMETER stop "<|end|>"',
        'PARAMETER stop "STOP"',
        "PARAMETER num_ctx 256",
        "PARAMETER temperature 0.6",
    ]
    assert read_card(run / "card.json").stops == ("<|im_end|>",)
    again = convert_run_folder(run, wishes=RunWishes(threads=1))
    states = {step.name: step.state for step in again.steps}
    assert states.pop("Modelfile") == "done", "it says something else now"
    assert set(states.values()) == {"unchanged"}

"""Where the server renders the chat template in the GGUF, that one is compared."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.ollama.own_template import renders_own
from tests.convert import go_render
from tests.convert.chat_templates import (
    DATE_CAN_BE_GIVEN,
    DATED_AND_SWITCHED,
    GEMMA_2,
    LLAMA_32,
    MISTRAL_3,
    MODE_IN_THE_HEAD,
    THINKS,
    THINKS_AT_A_WORD,
    THINKS_BY_ANOTHER_NAME,
    THINKS_UNLESS_TOLD,
    THINKS_WHEN_TOLD,
    ZEPHYR,
    Spoken,
    with_tools,
)
from tests.convert.ollama.fake_ollama import FakeOllama
from tests.convert.ollama.test_publish import published, refusal, run
from tests.convert.test_go_template import ODD

OLD = "0.24.0"
DATED = with_tools(LLAMA_32)


def odd(name: str) -> Spoken:
    return Spoken(ODD[name], bos=None, eos="<|im_end|>", adds_bos=False)


def checks(host: str, *words: object) -> dict[str, tuple[bool | None, str]]:
    """What was compared of the one model that is published."""
    (model,) = published(host, "tiny", *words)["models"]
    return {check["what"]: (check["equal"], check["said"]) for check in model["checks"]}


@pytest.mark.parametrize("ahead", [-1, 0, 1])
def test_todays_date_is_written_by_the_servers_clock(fake: FakeOllama, tmp_path, ahead):
    fake.state.clock = timedelta(days=ahead)
    found = checks(fake.host, DATED.gguf(tmp_path / "m.gguf"))
    assert found["template"] == (
        True,
        "the server renders the chat template in the GGUF",
    )
    equal, said = found["prompt"]
    assert equal is True
    assert said.startswith("4 conversations") and "by the server's clock" in said
    sent = fake.state.models["tiny:latest"].request["template"]
    now = datetime.now().astimezone()
    days = [now - timedelta(days=n) for n in (0, 1)]
    assert any(f"Today: {day:%d %b %Y}" in sent for day in days)


def test_a_server_of_another_date_is_told(fake: FakeOllama, tmp_path):
    fake.state.clock = timedelta(days=400)
    said = refusal(fake.host, "tiny", DATED.gguf(tmp_path / "m.gguf"))
    assert "is not what was sent: prompt" in said


@go_render.needs_go
def test_an_older_server_would_keep_the_date_so_it_has_to_be_fixed(
    fake: FakeOllama, tmp_path
):
    fake.state.version = OLD
    file = DATED.gguf(tmp_path / "m.gguf")
    result = run(fake.host, "me/tiny", file, "--push")
    assert "is not what was sent: prompt" in str(result.exception)
    assert "writes today's date" in result.stdout and "--date" in result.stdout
    assert fake.state.pushed == []
    found = checks(fake.host, file, "--date", "01 Oct 2026", "--force")
    assert found["prompt"][0] is True


def test_a_date_that_the_server_gives_the_template_is_told(fake: FakeOllama, tmp_path):
    file = DATE_CAN_BE_GIVEN.gguf(tmp_path / "m.gguf")
    equal, said = checks(fake.host, file)["prompt"]
    assert equal is True
    assert said.endswith("it gives the template today's date as date_string")
    fake.state.clock = timedelta(days=400)
    assert "sent: prompt" in refusal(fake.host, "tiny", file, "--force")


def test_a_fixed_date_is_said_to_count_for_nothing_there(fake: FakeOllama, tmp_path):
    file = DATED.gguf(tmp_path / "m.gguf")
    equal, said = checks(fake.host, file, "--date", "01 Oct 2026")["prompt"]
    assert equal is True
    assert said.endswith("and not that of --date")


@go_render.needs_go
@pytest.mark.parametrize("name", ODD)
def test_a_template_without_a_go_form_is_refused_only_where_it_is_not_rendered(
    fake: FakeOllama, tmp_path, name
):
    file = with_tools(odd(name)).gguf(tmp_path / "m.gguf")
    found = checks(fake.host, file)
    assert found["template"][0] is True
    assert found["prompt"][0] is True
    fake.state.version = OLD
    result = run(fake.host, "tiny", file, "--force")
    assert "is not what was sent: prompt" in str(result.exception)
    assert "Ollama from 0.30 on" in result.stdout
    # No server would render this one, for all that it could do.
    before = len(fake.state.asked)
    assert "--template" in refusal(
        fake.host, "other", odd(name).gguf(tmp_path / "o.gguf")
    )
    assert len(fake.state.asked) == before


@go_render.needs_go
def test_a_model_that_can_do_no_more_is_rendered_by_template(
    fake: FakeOllama, tmp_path
):
    found = checks(fake.host, ZEPHYR.gguf(tmp_path / "m.gguf"))
    assert found["template"] == (True, "as sent; the server renders TEMPLATE")
    assert found["prompt"] == (True, "3 conversations rendered by the server")
    assert "think" not in found


@go_render.needs_go
def test_think_is_compared_where_it_switches_something(fake: FakeOllama, tmp_path):
    file = THINKS_UNLESS_TOLD.gguf(tmp_path / "m.gguf")
    found = checks(fake.host, file)
    assert found["prompt"] == (True, "4 conversations rendered by the server")
    assert found["think"] == (True, "true and false as the chat template writes them")
    fake.state.version = OLD
    found = checks(fake.host, file, "--force")
    assert found["prompt"][0] is True
    assert found["think"] == (
        None,
        "TEMPLATE has no thinking that `think` could switch",
    )


def test_a_server_that_thinks_by_itself_is_told(fake: FakeOllama, tmp_path):
    found = checks(fake.host, THINKS_WHEN_TOLD.gguf(tmp_path / "m.gguf"))
    assert found["prompt"][0] is True
    assert "lets the model think unless `think` is false" in found["prompt"][1]
    assert found["think"][0] is True


def test_a_server_that_thinks_by_itself_and_gives_the_date_is_told(
    fake: FakeOllama, tmp_path
):
    found = checks(fake.host, DATED_AND_SWITCHED.gguf(tmp_path / "m.gguf"))
    assert found["prompt"][0] is True
    assert "`think` is false; it gives the template today's date" in found["prompt"][1]
    assert found["think"][0] is True


def test_a_switch_of_another_name_is_said_to_do_nothing(fake: FakeOllama, tmp_path):
    found = checks(fake.host, THINKS_BY_ANOTHER_NAME.gguf(tmp_path / "m.gguf"))
    assert found["prompt"][0] is True
    equal, said = found["think"]
    assert equal is None
    assert "think: true changes nothing" in said


def test_a_switch_that_the_server_does_not_know_is_told_as_none(
    fake: FakeOllama, tmp_path
):
    file = THINKS_AT_A_WORD.gguf(tmp_path / "m.gguf")
    found = checks(fake.host, file)
    assert found["prompt"][0] is True
    equal, said = found["think"]
    assert equal is None
    assert said.startswith("this model has no thinking switch there")
    assert "the model does not support thinking" in said
    assert "would not" not in said and "log" not in said


def test_a_mode_in_the_head_is_the_servers_own_prompt_and_switched(
    fake: FakeOllama, tmp_path
):
    file = MODE_IN_THE_HEAD.gguf(tmp_path / "m.gguf")
    found = checks(fake.host, file, "--system", "Be kind. /no_think")
    assert found["template"][1] == "the server renders the chat template in the GGUF"
    assert found["prompt"][0] is True
    assert "by the server's clock" in found["prompt"][1]
    assert "think" not in found, "the system text has the last word"
    found = checks(fake.host, file, "--force")
    assert found["prompt"][0] is True
    assert found["think"] == (True, "true and false as the chat template writes them")
    fake.state.version = OLD
    result = run(fake.host, "tiny", file, "--force")
    assert "is not what was sent: prompt" in str(result.exception)


def test_thinking_that_is_turned_round_is_refused(fake: FakeOllama, tmp_path):
    fake.state.faults = {"turns thinking round"}
    file = THINKS_UNLESS_TOLD.gguf(tmp_path / "m.gguf")
    assert "not what was sent: think" in refusal(fake.host, "tiny", file)


def test_another_prompt_of_the_servers_own_names_the_way_to_template(
    fake: FakeOllama, tmp_path
):
    fake.state.faults = {"another prompt"}
    file = with_tools(ZEPHYR).gguf(tmp_path / "m.gguf")
    result = run(fake.host, "tiny", file)
    assert "not what was sent: prompt" in str(result.exception)
    assert "OLLAMA_GO_TEMPLATE=1" in result.stdout


def test_turns_of_a_message_stand_alone_in_the_servers_own_prompt(
    fake: FakeOllama, tmp_path
):
    file = with_tools(MISTRAL_3).gguf(tmp_path / "m.gguf")
    found = checks(
        fake.host, file, "--system", "Be kind.", "--message", "user: Hello",
        "--message", "user: Are you there?",
    )  # fmt: skip
    assert found["prompt"][0] is True


def test_a_system_turn_that_the_servers_own_prompt_refuses_is_told(
    fake: FakeOllama, tmp_path
):
    file = with_tools(GEMMA_2).gguf(tmp_path / "m.gguf")
    result = run(fake.host, "tiny", file)
    assert "not what was sent: prompt" in str(result.exception)
    assert "There is no system role" in result.stdout


@pytest.mark.parametrize("name", ["numbered turns", "a turn is written twice"])
def test_a_modelfile_says_where_its_template_is_only_the_nearest(tmp_path, name):
    def made(spoken: Spoken) -> tuple[str, str]:
        file = spoken.gguf(tmp_path / "m.gguf")
        result = CliRunner().invoke(app, ["modelfile", str(file)])
        if isinstance(result.exception, ConvertError):
            return "", str(result.exception)
        return result.stdout, result.stderr

    text, notes = made(with_tools(odd(name)))
    assert "<|im_start|>user" in text
    assert "Ollama from 0.30 on renders the one in the GGUF" in notes
    text, notes = made(odd(name))
    assert not text and "no exact Go form" in notes


def test_what_makes_a_server_render_a_files_own_template():
    assert renders_own(DATED.template) and renders_own(THINKS_UNLESS_TOLD.template)
    assert not renders_own(LLAMA_32.template)
    # It looks for the two marks, or for an answer that is cut behind a thought.
    assert not renders_own(THINKS.template)
    assert renders_own("{{ message.content.split('</think>')[-1] }}")
    assert not renders_own("{{ content.split('</think>')[-1] }}{{ reasoning_content }}")


def test_a_dry_run_says_that_template_is_only_the_nearest(tmp_path, fake: FakeOllama):
    file = DATED.gguf(tmp_path / "m.gguf")
    words = ["publish", "tiny", str(file), "--unverified", "--dry-run", "--json"]
    (model,) = json.loads(CliRunner().invoke(app, words).stdout)["models"]
    assert any("no exact Go form" in note for note in model["notes"])
    assert Path(model["files"][0]["file"]) == file

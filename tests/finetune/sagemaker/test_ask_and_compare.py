"""What is asked of an endpoint of vLLM, and how it is held against the runs here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finetune.commands import app
from finetune.data.manifest import read_manifest
from finetune.evaluate.result import read_evaluation
from finetune.report.sections.results import results
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.hosting import question as bodies
from finetune.sagemaker.hosting.question import AnswerPiece, pieces
from finetune.sagemaker.resource_ledger import open_books, read_ledger
from medassist.core.clean import clean
from medassist.core.run_folder import COMPARING
from tests.convert.tiny_hf import HfFolders
from tests.finetune.evaluate.conftest import tiny_pair as tiny_pair
from tests.finetune.sagemaker.conftest import Cloud
from tests.finetune.sagemaker.hosting_runs import (
    ROLE,
    SCHEDULE,
    call,
    deploy,
    hosted_run,
    on_the_fakes_clock,
    refused,
)
from tests.finetune.sagemaker.test_deploy import server as server
from tests.finetune.sagemaker.vllm_double import Vllm

QUESTION = "Why does the ankle swell?"


@pytest.fixture
def vllm(server: Vllm, cloud: Cloud) -> Iterator[Vllm]:
    cloud.fake.container = server.url
    server.asked.clear()
    server.forgets_adapter, server.fails = False, ""
    with on_the_fakes_clock(cloud):
        yield server


@pytest.fixture
def run(vllm: Vllm, tmp_path: Path, tiny_pair: HfFolders) -> Path:
    """A run with an endpoint."""
    run = hosted_run(tmp_path / "run", tiny_pair)
    write_manifest(run)
    deploy(run)
    vllm.asked.clear()
    return run


def write_manifest(run: Path, **found: int) -> None:
    """As `prepare` leaves it, with what looked like identifiers."""
    from tests.finetune.report.example_run import manifest

    made = manifest()
    steps = [
        step.model_copy(update={"found": found}) if step.name == "identifiers" else step
        for step in made.steps
    ]
    text = made.model_copy(update={"steps": tuple(steps)}).model_dump_json()
    (run / "data/manifest.json").write_text(text, "utf-8")
    read_manifest(run)


def locally(vllm: Vllm, side: str, tokens: int = 16) -> str:
    from finetune.data.prepared_records import RecordMessage
    from finetune.evaluate.written_answers import Writing, write
    from finetune.train.chat_format import prompt_ids

    pair = vllm.pair
    ids = prompt_ids(pair.tokenizer, [RecordMessage(role="user", content=QUESTION)])
    with pair.side(side):  # pyright: ignore[reportArgumentType]
        return write(pair.model, pair.tokenizer, [ids], Writing(tokens))[0].text


def test_the_tuned_model_answers_as_it_does_here(vllm: Vllm, run: Path) -> None:
    done = call("ask", str(run), QUESTION, "--max-tokens", "16")
    # The terminal gets it without the characters that it would obey.
    assert done.stdout.split("\n(cut off")[0].strip() == clean(locally(vllm, "tuned"))
    assert "it goes to us-east-1 (United States), account 123456789012" in done.stderr
    assert [body["model"] for body in vllm.asked] == ["tuned"]


def test_both_are_printed_one_below_the_other_and_as_one_object(
    vllm: Vllm, run: Path
) -> None:
    done = call("ask", str(run), QUESTION, "--both", "--max-tokens", "16")
    base, _, tuned = done.stdout.partition("## tuned: ")
    assert base.startswith("## base: base\n\n") and clean(locally(vllm, "base")) in base
    assert clean(locally(vllm, "tuned")) in tuned
    done = call("ask", str(run), QUESTION, "--both", "--max-tokens", "16", "--json")
    answers = json.loads(done.stdout)["answers"]
    assert answers["base"]["text"] == locally(vllm, "base")
    assert answers["tuned"]["text"] == locally(vllm, "tuned")


def test_one_side_is_asked_alone(vllm: Vllm, run: Path) -> None:
    call("ask", str(run), QUESTION, "--only", "base", "--max-tokens", "4")
    assert [body["model"] for body in vllm.asked] == ["base"]
    call("ask", str(run), QUESTION, "--only", "base", "--both", code=2)


def test_what_may_say_who_the_patient_is_is_told_before_it_leaves(
    vllm: Vllm, run: Path
) -> None:
    question = "Mrs. Anna Smith, SSN 123-45-6789: why does the ankle swell?"
    done = call("ask", str(run), question, code=1, answers="n\n")
    assert "this may say who the patient is" in done.output
    assert "123-45-6789" in done.output and "a social security number" in done.output
    assert vllm.asked == []
    call("ask", str(run), question, "--replace", "--max-tokens", "4")
    (body,) = vllm.asked
    sent = vllm.pair.tokenizer.decode(body["prompt"])
    assert "123-45-6789" not in sent and "Smith" not in sent and "ankle" in sent
    call("ask", str(run), question, "--yes", "--max-tokens", "4")
    assert "123-45-6789" in vllm.pair.tokenizer.decode(vllm.asked[-1]["prompt"])


def test_a_question_is_read_from_standard_input(vllm: Vllm, run: Path) -> None:
    call("ask", str(run), "-", "--max-tokens", "4", answers=f"{QUESTION}\n")
    assert "swell?" in vllm.pair.tokenizer.decode(vllm.asked[0]["prompt"])
    assert "empty" in refused("ask", str(run), " ")


def test_where_streams_are_not_allowed_it_is_asked_in_one_piece(
    vllm: Vllm, run: Path, cloud: Cloud
) -> None:
    stream = ("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    cloud.fake.fail[stream] = ("AccessDeniedException", "no right to stream")
    done = call("ask", str(run), QUESTION, "--max-tokens", "16")
    assert clean(locally(vllm, "tuned")) in done.stdout
    assert "InvokeEndpoint" in [name for name, _ in cloud.fake.calls]


def test_a_question_without_room_and_a_server_that_fails_are_sentences(
    vllm: Vllm, run: Path
) -> None:
    told = refused("ask", str(run), QUESTION, "--max-tokens", "255")
    assert "more than the endpoint's 256" in told and vllm.asked == []
    vllm.fails = "CUDA out of memory"
    told = refused("ask", str(run), QUESTION, "--max-tokens", "4")
    assert "gave no answer: CUDA out of memory" in told
    assert "/aws/sagemaker/Endpoints/" in told


def test_an_endpoint_that_is_gone_coming_or_of_another_adapter_is_told(
    vllm: Vllm, run: Path, cloud: Cloud
) -> None:
    (name,) = cloud.fake.endpoints
    cloud.fake.endpoints[name]["status"] = "Updating"
    assert "Try again in some minutes" in refused("ask", str(run), QUESTION)
    cloud.fake.endpoints[name]["status"] = "Failed"
    assert "teardown" in refused("ask", str(run), QUESTION)
    cloud.fake.endpoints[name]["status"] = "InService"
    weights = run / "adapter/adapter_model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"\0")
    assert "is not what the endpoint answers with" in refused("ask", str(run), QUESTION)
    weights.write_bytes(kept)
    cloud.fake.turn(3 * 3600)
    assert "is gone" in refused("ask", str(run), QUESTION)
    assert "put it up again" in refused("ask", str(run), QUESTION)


def test_an_endpoint_that_was_not_probed_is_probed_before_it_is_asked(
    vllm: Vllm, run: Path, aws: Aws
) -> None:
    books = open_books(run, aws.account, aws.region)
    (made,) = books.ledger.of("endpoint")
    assert made.served is not None and made.served.ready
    unsure = made.served.model_copy(update={"ready": False})
    books.note("endpoint", made.name, served=unsure)
    vllm.forgets_adapter = True
    assert "the adapter is not at work" in refused("ask", str(run), QUESTION)


def test_a_run_without_an_endpoint_is_told(cloud: Cloud, tmp_path: Path) -> None:
    told = refused("ask", str(tmp_path), QUESTION)
    assert "nothing was made in an account" in told


def compare(run: Path, *more: str) -> dict[str, Any]:
    return json.loads(call("compare", str(run), "--yes", "--json", *more).stdout)


def test_it_is_compared_as_an_evaluation_here_compares(
    vllm: Vllm, run: Path, tmp_path: Path
) -> None:
    told = call("compare", str(run), answers="y\n")
    assert (
        "3 questions of data/test.jsonl leave this computer for us-east-1 (United "
        "States)"
    ) in told.output
    there = read_evaluation(run)
    assert there.hardware == "ml.g5.2xlarge, SageMaker endpoint in us-east-1 (vllm)"
    assert there.losses == () and there.items == ()
    assert "3 questions answered" in str(results(there))
    (run / "evaluation.json").unlink()
    done = CliRunner().invoke(app, ["evaluate", str(run)])
    assert done.exit_code == 0, done.output
    here = read_evaluation(run)
    assert there.answers == here.answers
    assert there.models.tuned == here.models.tuned
    assert there.models.base.sha256 == here.models.base.sha256
    assert there.comparison("generated answers: rouge_l") == here.comparison(
        "generated answers: rouge_l"
    )
    assert not (run / COMPARING).exists()
    # And it is not written over one that has more in it.
    assert "made on this computer" in refused("compare", str(run), "--yes")
    assert read_evaluation(run) == here
    compare(run, "--replace")
    assert read_evaluation(run).answers == here.answers


def test_answers_that_were_paid_for_are_kept(vllm: Vllm, run: Path) -> None:
    real, seen = vllm.answer, list[int]()

    def breaks(body: dict[str, Any]) -> tuple[int, bytes]:
        seen.append(1)
        return real(body) if len(seen) <= 3 else (500, b"gone")

    vllm.answer = breaks
    assert "gave no answer" in refused("compare", str(run), "--yes")
    vllm.answer = real
    vllm.asked.clear()
    compare(run)
    assert len(vllm.asked) == 4  # of three questions to both, the first was kept


def test_it_stops_where_the_endpoint_would_go_before_its_end(
    vllm: Vllm, run: Path, cloud: Cloud
) -> None:
    real = vllm.answer

    def slow(body: dict[str, Any]) -> tuple[int, bytes]:
        cloud.fake.clock += 500
        return real(body)

    vllm.answer = slow
    cloud.fake.turn(3000)  # of two hours
    told = refused("compare", str(run), "--yes", "--generate", "12")
    vllm.answer = real
    assert "the endpoint goes in" in told and "is kept" in told
    assert (run / COMPARING).is_dir() and not (run / "evaluation.json").exists()


def test_data_that_names_patients_does_not_leave(vllm: Vllm, run: Path) -> None:
    write_manifest(run, email=2)
    told = refused("compare", str(run), "--yes")
    assert "what looks like a patient's name" in told and vllm.asked == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"<html>", "no JSON"),
        (b"[1]", "answered with"),
        (b'{"error": {"message": "no model"}}', "refused: no model"),
        (b'{"choices": [{"text": "a"}]}', "broke off"),
        (b'{"choices": [3]}', "not of the known form"),
        (b'data: {"choices": [{"text": "a"}]}\n\n', "broke off"),
        (b'data: {"error": "out of memory"}\n\n', "refused: out of memory"),
        (b"", "broke off"),
        (b"x" * (bodies.LARGEST_EVENT + 1), "are no answer"),
    ],
)
def test_what_is_no_answer_is_a_sentence(answer: bytes, sentence: str) -> None:
    from finetune.sagemaker.errors import SageMakerError

    with pytest.raises(SageMakerError, match=sentence):
        list(pieces([answer[:5], answer[5:]]))


def test_an_answer_in_one_piece_may_stand_on_several_lines() -> None:
    whole = json.dumps(
        {"choices": [{"message": {"content": "a b"}, "finish_reason": "stop"}]},
        indent=2,
    ).encode()
    assert list(pieces([whole[:9], whole[9:]])) == [AnswerPiece("a b", None, "stop")]


def test_a_whole_life_as_a_person_sees_it(
    vllm: Vllm, cloud: Cloud, tmp_path: Path, tiny_pair: HfFolders
) -> None:
    run = hosted_run(tmp_path / "run", tiny_pair)
    write_manifest(run)
    roles = ["--role", ROLE, "--schedule-role", SCHEDULE]
    asked = "Mrs. Anna Smith, SSN 123-45-6789: why does the ankle swell?"
    life = [
        (["deploy", run, "--hours", "2", *roles, "--budget", "5"], "y\n"),
        (["ask", run, asked, "--both", "--replace", "--max-tokens", "8"], None),
        (["compare", run], "y\n"),
        (["cost", run], None),
        (["teardown", run, "--data"], "y\n"),
    ]
    for command, answers in life:
        said = [str(word) for word in command]
        done = call(*said, answers=answers)
        shown = " ".join(repr(w) if " " in w else w for w in said)
        sys.stdout.write(f"$ medassist finetune sagemaker {shown}\n{done.output}\n")
    fake = cloud.fake
    assert not [*fake.endpoints, *fake.endpoint_configs, *fake.models, *fake.schedules]
    ledger = read_ledger(run)
    assert ledger is not None
    left = {made.kind for made in ledger.made if made.state != "gone"}
    assert left == {"bucket", "objects"}  # which other runs may use

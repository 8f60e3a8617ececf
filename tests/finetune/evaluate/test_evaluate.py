from __future__ import annotations

import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from finetune.commands import app
from finetune.commands.evaluate import told_evaluation
from finetune.data.prepared_records import DialogueRecord
from finetune.errors import FinetuneError, Interrupted
from finetune.evaluate import evaluate as evaluating
from finetune.evaluate.evaluate import evaluate_run
from finetune.evaluate.result import evaluation_file, read_evaluation
from finetune.train.base_model import load_tokenizer
from finetune.train.chat_format import Encoded, encode_rows
from medassist.core.run_folder import EVALUATING
from tests.convert.tiny_hf import hf_logits, load
from tests.exams.papers import medqa, write_papers
from tests.finetune.evaluate.conftest import records


def encoded_record(tokenizer: Any, record: Any) -> Encoded:
    (row,) = encode_rows(tokenizer, record)
    return row


def by_hand(base: Path, adapter: Path | None, kind: str) -> tuple[float, int, int]:
    """Nats, tokens and right guesses on our records, one text at a time."""
    tokenizer, model = load_tokenizer(base), load(base, adapter)
    nll, tokens, right = 0.0, 0, 0
    for record in records():
        encoded = encoded_record(tokenizer, record)
        if record.kind != kind or len(encoded.ids) > 256:
            continue
        log = torch.log_softmax(torch.tensor(hf_logits(model, list(encoded.ids))), -1)
        for at in range(1, len(encoded.ids)):
            if encoded.learned[at]:
                nll -= float(log[at - 1, encoded.ids[at]])
                tokens += 1
                right += int(log[at - 1].argmax()) == encoded.ids[at]
    return nll, tokens, right


def test_both_models_have_the_losses_that_they_have_one_text_at_a_time(
    run, part, tiny_pair
) -> None:
    found = evaluate_run(run, part)
    answers = found.losses[0]
    base = by_hand(tiny_pair.base, None, "dialogue")
    tuned = by_hand(tiny_pair.base, tiny_pair.plain, "dialogue")
    assert answers.tokens == base[1]
    assert answers.base.nll == pytest.approx(base[0] / base[1], rel=1e-5)
    assert answers.tuned.nll == pytest.approx(tuned[0] / tuned[1], rel=1e-5)
    assert answers.base.token_accuracy == base[2] / base[1]
    assert answers.base.perplexity == math.exp(answers.base.nll)
    said = [m.content for r in records() if r.kind == "dialogue" for m in r.messages]
    size = sum(len(text.encode()) for text in said[1::2])
    assert answers.bytes == size
    assert answers.base.bits_per_byte == pytest.approx(base[0] / math.log(2) / size)
    assert abs(answers.base.nll - answers.tuned.nll) > 0.01


def test_every_token_of_a_text_beyond_the_context_counts_once(run, part) -> None:
    found = evaluate_run(run, part)
    tokenizer = load_tokenizer(Path(_base(run)))
    for record, item in zip(records()[-2:], found.items[-2:], strict=True):
        encoded = encoded_record(tokenizer, record)
        assert len(encoded.ids) > 256
        assert item.tokens == sum(encoded.learned[1:])


def test_summaries_can_be_computed_again_from_the_items(run, part) -> None:
    found = evaluate_run(run, part)
    assert read_evaluation(run) == found
    own = [item for item in found.items if item.kind == "dialogue"]
    tokens = sum(item.tokens for item in own)
    assert found.losses[0].tuned.nll == sum(item.tuned_nll for item in own) / tokens
    compared = found.comparison("answers: nll")
    assert compared.n == 25
    assert compared.groups == len({item.group for item in own}) == 13
    assert compared.difference == pytest.approx(
        found.losses[0].tuned.nll - found.losses[0].base.nll
    )
    assert compared.interval.low <= compared.difference <= compared.interval.high
    assert evaluation_file(run).stat().st_mode & 0o077 == 0
    assert not (run / EVALUATING).exists()


def test_a_better_model_is_called_better_only_by_its_interval(run, part) -> None:
    found = evaluate_run(run, part)
    for one in found.comparisons:
        outside = one.interval.low > 0 or one.interval.high < 0
        if one.groups < 10:
            what = "items" if one.groups == one.n else "documents"
            said = f"too few {what} to say ({one.groups}; at least 10)"
            assert one.verdict == said
        elif not outside:
            assert one.verdict == f"no difference shown (n = {one.n})"
        else:
            gain = (one.difference > 0) == one.higher_is_better
            assert one.verdict == ("better" if gain else "worse")


def test_an_activated_lora_acts_on_each_answer_as_in_a_consultation(
    activated_run, part, tiny_pair
) -> None:
    found = evaluate_run(activated_run, part)
    assert found.models.tuned.kind == "activated"
    single = found.items[0]
    tokenizer = load_tokenizer(tiny_pair.base)
    encoded = encoded_record(tokenizer, records()[0])
    model = load(tiny_pair.base, tiny_pair.activated)
    log = torch.log_softmax(torch.tensor(hf_logits(model, list(encoded.ids))), -1)
    wanted = -sum(
        float(log[at - 1, encoded.ids[at]])
        for at in range(1, len(encoded.ids))
        if encoded.learned[at]
    )
    assert single.tuned_nll == pytest.approx(wanted, rel=1e-5)
    # The answer before the last is adapted too, though its invocation is not the last.
    two = found.items[24]
    assert two.id == "d99"
    assert two.tokens == sum(encoded_record(tokenizer, records()[24]).learned)
    assert two.tuned_nll != two.base_nll


def test_answers_are_the_greedy_ones_and_scored_against_the_reference(
    run, part, tiny_pair
) -> None:
    from finetune.train.chat_format import prompt_ids
    from tests.convert.tiny_hf import hf_greedy

    found = evaluate_run(run, part)
    assert [answer.id for answer in found.answers] == ["d0", "d8", "d16"]
    tokenizer = load_tokenizer(tiny_pair.base)
    first, ninth = records()[0], records()[8]
    assert isinstance(first, DialogueRecord)
    assert isinstance(ninth, DialogueRecord)
    asked = prompt_ids(tokenizer, ninth.messages[:-1])
    for side, adapter in (("base", None), ("tuned", tiny_pair.plain)):
        written = hf_greedy(load(tiny_pair.base, adapter), asked, 6)
        end = written.index(1) if 1 in written else len(written)
        text = str(tokenizer.decode(written[:end], skip_special_tokens=True)).strip()
        assert getattr(found.answers[1], side) == text
    assert found.answers[0].reference == first.messages[-1].content


def test_examples_carry_the_system_prompt(run, part) -> None:
    found = evaluate_run(run, part.model_copy(update={"examples": True, "generate": 0}))
    assert found.answers == ()
    assert len(found.examples) == 12
    assert "empathetic" in found.examples[0].system
    assert any(one.base != one.tuned for one in found.examples)


def test_exams_are_sat_by_both_and_corrected_for_their_number(
    run, part, tmp_path
) -> None:
    folder = write_papers(tmp_path / "exams", 8)
    (folder / "cut.jsonl").write_text(json.dumps(medqa(1)) + '\n{"question', "utf-8")
    found = evaluate_run(run, part.model_copy(update={"shots": 1}), exams=folder)
    (unlike,) = found.exams_unlike
    assert "cut.jsonl, line 2 is no JSON" in unlike
    assert f"Exam not sat: {unlike}" in told_evaluation(run, found)
    assert [exam.task for exam in found.exams] == [
        "medqa_4options",
        "medmcqa",
        "pubmedqa",
        "mmlu_medical",
    ]
    mmlu = found.exam("mmlu_medical")
    assert set(mmlu.subjects) == {"anatomy", "clinical_knowledge"}
    assert mmlu.n == 16
    for exam in found.exams:
        compared = found.comparison(f"{exam.task}: acc")
        right = [item.base == item.gold for item in exam.items]
        assert exam.base.acc == sum(right) / exam.n == compared.base
        assert compared.flips is not None
        wrong = compared.flips.right_to_wrong
        assert wrong - compared.flips.wrong_to_right == pytest.approx(
            -compared.difference * exam.n
        )
        assert compared.p is not None
        assert compared.holm_p is not None
        assert compared.p <= compared.holm_p
    assert any(i.base_scores != i.tuned_scores for i in found.exams[0].items)
    # Read whole or in a smaller batch, an item gets the same scores.
    small = evaluate_run(
        run, part.model_copy(update={"shots": 1, "batch_tokens": 1}), exams=folder
    )
    for one, other in zip(mmlu.items, small.exam("mmlu_medical").items, strict=True):
        assert one.base_scores == pytest.approx(other.base_scores, abs=1e-4)


def test_an_activated_lora_sits_exams_by_the_chat_template_alone(
    activated_run, part, tmp_path
) -> None:
    folder = write_papers(tmp_path / "exams", 8)
    found = evaluate_run(
        activated_run, part.model_copy(update={"shots": 0}), exams=folder
    )
    assert all(exam.chat for exam in found.exams)
    item = found.exams[0].items[0]
    assert item.base_scores != item.tuned_scores
    with pytest.raises(FinetuneError, match="activated LoRA"):
        evaluate_run(
            activated_run, part.model_copy(update={"exam_chat": False}), exams=folder
        )


def test_an_evaluation_that_is_stopped_goes_on_where_it_was(
    run, part, monkeypatch
) -> None:
    whole = evaluate_run(run, part)
    shutil.copytree(run, run.parent / "again")
    again = run.parent / "again"
    evaluation_file(again).unlink()
    calls: list[int] = []

    def stop_at_the_second(*given):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return measure(*given)

    measure = evaluating.measure
    monkeypatch.setattr(evaluating, "BLOCK", 8)
    monkeypatch.setattr(evaluating, "_blocks", lambda p, size=8: [p[:8], p[8:]])
    monkeypatch.setattr(evaluating, "measure", stop_at_the_second)
    with pytest.raises(Interrupted, match="--resume"):
        evaluate_run(again, part)
    assert not evaluation_file(again).exists()
    kept = list((again / EVALUATING).glob("losses-*.jsonl"))
    assert len(kept[0].read_bytes().splitlines()) == 8
    with kept[0].open("ab") as file:
        file.write(b'{"at":20,"found":{"id":"cut o')  # a kill in the middle of a line
    read: list[str] = []

    def watched(pair, chosen, batches):
        read.extend(record.id for record in chosen)
        return measure(pair, chosen, batches)

    monkeypatch.setattr(evaluating, "measure", watched)
    found = evaluate_run(again, part, resume=True)
    assert len(read) == len(records()) - 8
    assert [i.id for i in found.items] == [i.id for i in whole.items]
    for one, other in zip(found.items, whole.items, strict=True):
        assert one.tuned_nll == pytest.approx(other.tuned_nll, rel=1e-5)


def test_memory_that_runs_out_makes_batches_smaller_and_changes_nothing(
    run, part, monkeypatch
) -> None:
    from finetune.evaluate import losses

    whole = evaluate_run(run, part)
    work = losses.losses_of

    def greedy_for_memory(pair, rows):
        if len(rows) > 2:
            raise torch.OutOfMemoryError("no more")
        return work(pair, rows)

    monkeypatch.setattr(losses, "losses_of", greedy_for_memory)
    found = evaluate_run(run, part)
    for one, other in zip(found.items, whole.items, strict=True):
        assert one.tuned_nll == pytest.approx(other.tuned_nll, rel=1e-5)
        assert one.tokens == other.tokens

    def never(pair, rows):
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(losses, "losses_of", never)
    with pytest.raises(FinetuneError, match="even alone"):
        evaluate_run(run, part)


def test_a_limit_takes_records_from_all_over_the_split_and_says_so(run, part) -> None:
    found = evaluate_run(run, part, limit=9)
    assert [item.id for item in found.items] == [
        *("d0", "d3", "d6", "d9", "d12", "d15", "d18", "d21", "d99")
    ]
    assert (found.data.records, found.data.not_read) == (9, 18)


def _base(run: Path) -> str:
    config = json.loads((run / "adapter" / "adapter_config.json").read_text("utf-8"))
    return config["base_model_name_or_path"]


def without_test(run: Path) -> None:
    (run / "data" / "test.jsonl").rename(run / "data" / "held.jsonl")


def split_in_two(run: Path) -> None:
    """As after a preparation 90/10."""
    (run / "data" / "test.jsonl").rename(run / "data" / "validation.jsonl")
    (run / "data" / "test.jsonl").write_bytes(b"")


def broken_line(run: Path) -> None:
    (run / "data" / "test.jsonl").write_text('{"kind": "text"}\n', "utf-8")


def empty(run: Path) -> None:
    (run / "data" / "test.jsonl").write_text("", "utf-8")


def without_adapter(run: Path) -> None:
    (run / "adapter" / "adapter_model.safetensors").unlink()


def of_another_size(run: Path) -> None:
    file = run / "adapter" / "adapter_model.safetensors"
    cut = {k: v[:, :32] if "lora_A" in k else v for k, v in load_file(file).items()}
    save_file({k: v.contiguous() for k, v in cut.items()}, file)


def of_other_layers(run: Path) -> None:
    file = run / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file({k: v for k, v in tensors.items() if "layers.1." not in k}, file)


def never_trained(run: Path) -> None:
    file = run / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file({k: v * (0 if "lora_B" in k else 1) for k, v in tensors.items()}, file)


def without_base(run: Path) -> None:
    (run / "recipe.yaml").write_text("base: /nowhere/at/all\n", "utf-8")


def of_another_base(run: Path) -> None:
    files = {"model.safetensors": "0" * 64}
    said = {"base": {"name": _base(run), "files": files}}
    (run / "training.json").write_text(json.dumps(said), "utf-8")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without_test, "no split of that name .it has held"),
        (broken_line, r"test\.jsonl, line 1 is no record"),
        (empty, "is empty"),
        (without_adapter, "has no adapter"),
        (of_another_size, "does not fit the base"),
        (of_other_layers, "does not fit the base"),
        (never_trained, "never trained"),
        (without_base, "/nowhere/at/all.*--base"),
        (of_another_base, "is not the file that"),
    ],
)
def test_what_cannot_be_evaluated_is_a_sentence_and_the_run_stays_whole(
    run, part, harm, said
) -> None:
    harm(run)
    evaluation_file(run).write_text("what was there", "utf-8")
    with pytest.raises(FinetuneError, match=said):
        evaluate_run(run, part)
    assert evaluation_file(run).read_text("utf-8") == "what was there"


def test_data_without_a_test_split_is_evaluated_on_validation_and_it_is_said(
    run, part
) -> None:
    split_in_two(run)
    found = evaluate_run(run, part)
    assert (found.data.split, found.data.instead_of) == ("validation", "test")
    assert found.data.records == len(records())
    assert "test split is empty" in found.data.note
    assert "may look better than it is" in found.data.note
    assert read_evaluation(run) == found
    (run / "data" / "test.jsonl").unlink()
    assert evaluate_run(run, part).data.instead_of == "test"


def test_a_test_split_is_preferred_and_needs_no_note(run, part) -> None:
    lines = (run / "data" / "test.jsonl").read_bytes().splitlines(keepends=True)
    (run / "data" / "validation.jsonl").write_bytes(b"".join(lines[:5]))
    found = evaluate_run(run, part).data
    assert (found.split, found.instead_of, found.note) == ("test", None, "")
    chosen = evaluate_run(run, part.model_copy(update={"split": "validation"})).data
    assert chosen.instead_of is None
    assert "chooses the checkpoint" in chosen.note


def test_a_split_that_was_named_is_not_exchanged(run, part) -> None:
    split_in_two(run)
    with pytest.raises(FinetuneError, match=r"test\.jsonl is empty.*--split NAME"):
        evaluate_run(run, part, exactly=True)


def test_the_command_says_on_which_split_it_fell_back(run) -> None:
    split_in_two(run)
    options = ["--generate", "1", "--limit", "4"]
    ran = CliRunner().invoke(app, ["evaluate", str(run), *options])
    assert ran.exit_code == 0, ran.output
    said = " ".join(ran.output.split())
    assert "4 records of validation" in said
    assert "The run's test split is empty." in said
    named = CliRunner().invoke(app, ["evaluate", str(run), "--split", "test"])
    assert named.exit_code == 1


def test_the_training_split_is_no_measure(run, part) -> None:
    (run / "data" / "train.jsonl").write_bytes((run / "data/test.jsonl").read_bytes())
    with pytest.raises(FinetuneError, match="says nothing about new questions"):
        evaluate_run(run, part.model_copy(update={"split": "train"}))

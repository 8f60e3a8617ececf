"""The trainings: they learn, they can be stopped and go on as if they had not been."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from finetune.errors import FinetuneError, Interrupted
from finetune.starter.drills import drill_rows
from finetune.starter.loop import ActiveTime, Length, Training, rate_share, train
from finetune.starter.pretrain import RowBatches, text_loss, train_base
from finetune.starter.pretrain_checkpoint import (
    PretrainState,
    read_checkpoint,
    write_checkpoint,
)
from finetune.starter.small_llama import compiled, new_model
from finetune.starter.text_loss import TextLoss
from finetune.starter.token_rows import encode_passages
from finetune.train.labels import IGNORED

CPU = torch.device("cpu")


@dataclass
class FakeWatcher:
    """Keeps the losses; asks the process to stop after a step, as Ctrl-C does."""

    stop_after: int | None = None
    signal: int = signal.SIGINT
    losses: list[float] = field(default_factory=list)

    def step(
        self, progress: PretrainState, done: float, loss: float, rate: float
    ) -> None:
        self.losses.append(loss)
        if progress.step == self.stop_after:
            os.kill(os.getpid(), self.signal)


@pytest.fixture(scope="module")
def unbroken(recipe, tokenizer, text, tmp_path_factory):
    """The base, trained in one go, and its losses."""
    watcher = FakeWatcher()
    folder = tmp_path_factory.mktemp("unbroken")
    trained = train_base(recipe, tokenizer, text, folder, watcher, CPU)
    return trained, watcher.losses


def same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[k], theirs[k]) for k in ours
    )


def test_the_base_learns(recipe, tokenizer, reading, unbroken):
    trained, losses = unbroken
    assert losses[-1] < losses[0] - 1
    held_out = encode_passages(tokenizer, reading.validation)
    fresh = new_model(recipe.model, tokenizer, recipe.seed)
    before = text_loss(fresh, held_out, recipe.model.context)
    after = text_loss(trained.model, held_out, recipe.model.context)
    assert after.bits_per_byte < before.bits_per_byte - 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_base_goes_on_as_if_it_had_not_been_stopped(
    recipe, tokenizer, text, unbroken, tmp_path, number
):
    first = FakeWatcher(stop_after=5, signal=number)
    with pytest.raises(Interrupted) as stopped:
        train_base(recipe, tokenizer, text, tmp_path, first, CPU)
    assert stopped.value.checkpoint.is_file()
    second = FakeWatcher()
    trained = train_base(recipe, tokenizer, text, tmp_path, second, CPU)
    whole, losses = unbroken
    assert [*first.losses, *second.losses] == losses
    assert same_weights(trained.model, whole.model)
    assert trained.progress.step == recipe.base.steps


def test_the_last_rows_of_a_base_are_as_long_as_its_context(recipe, text):
    batches = RowBatches(text, recipe, vocabulary=300)
    part, context = recipe.base, recipe.model.context
    assert part.row is not None
    assert batches.take(2, 0.5).shape == (2, part.rows, part.row)
    long_rows = batches.take(9, 1 - part.long_share / 2)
    assert long_rows.shape == (2, part.rows * part.row // context, context)
    assert not np.array_equal(long_rows, batches.take(10, 0.95))


def test_the_targets_of_text_are_the_ids_that_follow(recipe, text):
    ids, targets = RowBatches(text, recipe, vocabulary=300).take(0, 0.0)
    assert (ids[:, 1:] == targets[:, :-1]).all()


def test_drills_take_the_place_of_a_share_of_the_short_rows(recipe, text):
    part = recipe.base.model_copy(update={"drills": 0.5, "rows": 4})
    scale = recipe.scales[recipe.scale].model_copy(update={"base": part})
    drilled = recipe.model_copy(update={"scales": {recipe.scale: scale}})
    batches = RowBatches(text, drilled, vocabulary=300)
    _, targets = batches.take(3, 0.0)
    assert targets.shape == (2, 4, part.row)[1:]
    assert [(row == IGNORED).any() for row in targets] == [False, False, True, True]
    _, long_targets = batches.take(3, 1.0)
    assert not (long_targets == IGNORED).any()


def test_a_drill_asks_only_for_what_an_earlier_piece_tells():
    for ids, targets in drill_rows(1, 2, 3, 400, 5000).swapaxes(0, 1):
        asked = np.flatnonzero(targets != IGNORED)
        assert len(asked) > len(ids) // 2
        for place in asked:
            pair = (ids[place], targets[place])
            assert pair in set(itertools.pairwise(ids[: place + 1].tolist()))


def test_the_drills_of_a_step_are_the_same_each_time():
    assert np.array_equal(drill_rows(1, 2, 3, 64, 99), drill_rows(1, 2, 3, 64, 99))
    assert not np.array_equal(drill_rows(1, 2, 3, 64, 99), drill_rows(1, 3, 3, 64, 99))


def test_a_compiled_base_needs_a_compiler(recipe, tokenizer, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(FinetuneError, match="no-such-compiler"):
        compiled(new_model(recipe.model, tokenizer, 1), CPU)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    weight = torch.zeros(2, requires_grad=True)
    training = Training(
        {"w": weight},
        {"adamw": torch.optim.AdamW([weight])},
        lambda step, done: (float("nan"), 1),
    )
    with pytest.raises(FinetuneError, match="learning rate"):
        train(training, Length(steps=3), tmp_path, FakeWatcher(), warm_up=0, decay=0)
    assert not list(tmp_path.iterdir()), "a broken state is not kept"


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    write_checkpoint(tmp_path, PretrainState(3, 3, 3.0), {"a": torch.ones(2)}, {})
    with pytest.raises(FinetuneError, match="another model"):
        read_checkpoint(tmp_path, {"b": torch.ones(2)}, {})


def test_a_checkpoint_that_was_cut_off_is_named(tmp_path):
    file = write_checkpoint(
        tmp_path, PretrainState(3, 3, 3.0), {"a": torch.ones(2)}, {}
    )
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(FinetuneError, match=file.name):
        read_checkpoint(tmp_path, {"a": torch.ones(2)}, {})


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    for step in range(1, 6):
        write_checkpoint(
            tmp_path, PretrainState(step, 0, 0.0), {"a": torch.ones(2)}, {}
        )
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "step-0000004.safetensors",
        "step-0000005.safetensors",
    ]


def test_the_rate_rises_holds_and_falls_to_zero():
    shares = [rate_share(i / 100, 0.1, 0.4) for i in range(100)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[5] == pytest.approx(0.5)
    assert set(shares[10:60]) == {1.0}
    assert np.all(np.diff(shares[60:]) < 0)
    assert shares[99] == pytest.approx(0.025)


def test_a_pause_is_not_counted_as_computing():
    now = 0.0

    def clock():
        return now

    watch = ActiveTime(clock)
    counted = 0.0
    for step in range(20):
        watch.start()
        now += 2.0 if step != 12 else 900.0
        counted += watch.stop()
    assert counted == pytest.approx(40.0)


def test_bits_per_byte_do_not_depend_on_the_number_of_tokens():
    assert (
        TextLoss(70.0, 10, 100).bits_per_byte == TextLoss(70.0, 35, 100).bits_per_byte
    )
    assert TextLoss(np.log(2) * 100, 10, 100).bits_per_byte == pytest.approx(1.0)

"""A training on a GGUF: its weights, its tokens, its prompts, its name."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from convert.gguf.model import convert_model
from finetune.errors import FinetuneError
from finetune.evaluate.torch_pair import load_pair
from finetune.report.run_card import card_of
from finetune.report.run_facts import read_facts
from finetune.sweep.space import read_axes
from finetune.sweep.trials import sweep
from finetune.train.result import TrainingResult
from finetune.train.training_folder import TrainingRun, open_run
from medassist.core.files import sha256_of_file
from tests.finetune.train.conftest import Trainings


@pytest.fixture(scope="module")
def gguf(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    return convert_model(llama, folder / "tiny-q8_0.gguf", quantization="q8_0")


@pytest.fixture(scope="module")
def trained(
    gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingRun, TrainingResult]:
    trainings = Trainings(tmp_path_factory.mktemp("runs"), gguf)
    run = trainings.make("run", train={"steps": 3})
    return open_run(str(run), None, resume=False), trainings.train(run)


def test_an_adapter_is_trained_on_a_gguf_and_names_it(trained, gguf: Path) -> None:
    run, result = trained
    sha256 = sha256_of_file(gguf)
    assert result.base.files == {gguf.name: sha256}
    assert result.base.architecture == "LlamaForCausalLM"
    config = json.loads((run.adapter / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == str(gguf)
    assert any("ids and prompts are llama.cpp's" in note for note in result.notes)


def test_the_card_names_the_gguf_itself(trained, gguf: Path) -> None:
    card = card_of(read_facts(trained[0].root))
    assert card is not None
    assert card.lineage.base == sha256_of_file(gguf)
    assert card.tuned_from is not None
    assert card.tuned_from.name == gguf.name


def test_it_is_evaluated_on_the_gguf(trained, gguf: Path) -> None:
    pair = load_pair(trained[0].root)
    assert pair.base.name == gguf.name
    assert pair.base.sha256 == {gguf.name: sha256_of_file(gguf)}
    assert pair.has_own_template


def test_another_gguf_is_not_taken_for_its_base(trained, llama: Path, tmp_path) -> None:
    other = convert_model(llama, tmp_path / "other.gguf", quantization="f16")
    with pytest.raises(FinetuneError, match=r"other\.gguf is not the file that"):
        load_pair(trained[0].root, str(other))


def test_a_gguf_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path, tmp_path / "gone.gguf")
    with pytest.raises(FinetuneError, match=r"gone\.gguf is not there: a GGUF"):
        trainings.prepare(trainings.make("run"))


def test_the_trials_of_a_sweep_share_what_was_unpacked_once(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(tmp_path, gguf)
    run = trainings.make("run", train={"steps": 2})
    trained: list[TrainingResult] = []

    class InThisProcess:
        """A trial that does not need a process of its own."""

        stderr = ()

        def __init__(self, command: list[str], **_: object) -> None:
            trained.append(trainings.train(Path(command[4])))

        def wait(self) -> int:
            return 0

    stand_in = SimpleNamespace(Popen=InThisProcess, PIPE=None, DEVNULL=None)
    monkeypatch.setattr("finetune.sweep.trials.subprocess", stand_in)
    opened = open_run(str(run), None, resume=True, change=False)
    words = ["lr=1e-2,2e-2"]
    sweep(opened, read_axes(words), words, None, (), resume=False, tell=print)
    assert [r.base.files for r in trained] == 2 * [{gguf.name: sha256_of_file(gguf)}]
    for trial in ("00", "01"):
        assert (run / "trials" / trial / "base").resolve() == run / "base"

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from finetune.errors import FinetuneError
from finetune.evaluate.batches import Batches
from finetune.evaluate.evaluate import evaluate_run
from finetune.evaluate.semantic import Encoder
from tests.convert.tiny_hf import tiny_tokenizer

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


@pytest.fixture(params=["bert", "roberta"])
def folder(request, tmp_path) -> Path:
    torch.manual_seed(1)
    tokenizer = tiny_tokenizer()
    size = {"vocab_size": len(tokenizer), "pad_token_id": 2, **SIZES}
    if request.param == "bert":
        model = BertModel(BertConfig(**size))  # pyright: ignore[reportArgumentType]
    else:
        model = RobertaModel(RobertaConfig(**size))  # pyright: ignore[reportArgumentType]
    model.save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def test_a_score_is_the_cosine_of_the_means_over_each_texts_own_tokens(folder) -> None:
    encoder = Encoder.load(str(folder))
    first, second = "The heart pumps.", "Wash the wound, dry it, and cover it well."
    found = encoder.similarities(
        [(first, second), (first, first), (first, " ")], Batches(1000)
    )
    alone = [encoder._embed([encoder._tokenizer.encode(t)])[0] for t in (first, second)]
    assert found[0] == pytest.approx(float(alone[0] @ alone[1]), abs=1e-5)
    assert found[0] < 0.999
    assert found[1] == pytest.approx(1.0)
    assert found[2] == 0.0
    one_by_one = encoder.similarities([(first, second)], Batches(1))
    assert one_by_one[0] == pytest.approx(found[0], abs=1e-5)


def test_a_text_beyond_the_encoders_positions_is_cut_and_not_a_crash(folder) -> None:
    encoder = Encoder.load(str(folder))
    assert encoder.similarities([("heart " * 300, "heart")], Batches(1000))[0] > -1


def test_answers_get_semantic_scores_where_an_encoder_is_named(
    folder, run, part
) -> None:
    found = evaluate_run(run, part, semantic=str(folder))
    assert all(answer.tuned_semantic is not None for answer in found.answers)
    assert found.settings.semantic_model is not None
    assert found.comparison("generated answers: semantic").n == 3
    with pytest.raises(FinetuneError, match="nowhere"):
        evaluate_run(run, part, semantic="/nowhere/encoder")

from __future__ import annotations

import json
import random
import subprocess

import pytest

from finetune.evaluate.rouge import longest_common, rouge_l
from tests.convert.tiny_hf import SENTENCES
from tests.exams.lm_eval_env import lm_eval_python


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("the cat sat", "the cat sat", 1.0),
        ("The CAT, sat.", "the cat sat", 1.0),
        ("the sat cat", "the cat sat", 2 / 3),  # two of three, both ways
        ("a b c d", "a d", 2 * 0.5 * 1 / 1.5),
        ("nothing alike", "other words", 0.0),
        ("", "words", 0.0),
        ("37.9 °C", "37 9 C", 1.0),
    ],
)
def test_rouge_l_is_the_f_measure_of_the_common_words_in_order(
    answer, reference, score
) -> None:
    assert rouge_l(answer, reference) == pytest.approx(score)


def test_the_longest_common_subsequence_is_that_of_the_table() -> None:
    chance = random.Random(1)
    for _ in range(40):
        first = [chance.choice("abcd") for _ in range(chance.randrange(90))]
        second = [chance.choice("abcde") for _ in range(chance.randrange(90))]
        table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
        for i, a in enumerate(first):
            for j, b in enumerate(second):
                table[i + 1][j + 1] = (
                    table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
                )
        assert longest_common(first, second) == table[-1][-1]


@pytest.mark.oracle
def test_the_package_rouge_score_gives_the_same() -> None:
    texts = [*SENTENCES, "37,9 °C; Über_x", "", "the the the a", " ".join(SENTENCES)]
    pairs = [(a, b) for a in texts for b in texts]
    script = (
        "import json, sys; from rouge_score.rouge_scorer import RougeScorer; "
        "scorer = RougeScorer(['rougeL']); "
        "print(json.dumps([scorer.score(b, a)['rougeL'].fmeasure "
        "for a, b in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [str(lm_eval_python()), "-c", script],
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [rouge_l(a, b) for a, b in pairs] == pytest.approx(json.loads(done.stdout))

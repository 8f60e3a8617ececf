from __future__ import annotations

import pytest

from finetune.starter.corpus import read_text
from finetune.starter.starter_recipe import read_recipe
from finetune.starter.token_rows import encode_passages
from finetune.starter.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def recipe(recipe_file):
    return read_recipe(recipe_file)


@pytest.fixture(scope="session")
def reading(data, recipe):
    return read_text(data, recipe)


@pytest.fixture(scope="session")
def tokenizer(reading, recipe):
    texts = (p.text for p in reading.train)
    return train_tokenizer(texts, recipe.tokenizer.size, recipe.model.context)


@pytest.fixture(scope="session")
def text(tokenizer, reading):
    return encode_passages(tokenizer, reading.train)

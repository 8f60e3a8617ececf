"""What quantizing a real model costs is what llama-perplexity says that it costs."""

from __future__ import annotations

import pytest

from convert.quantize import quantize
from convert.verify.texts import prose
from tests.bench.test_perplexity_oracle import check, ours, theirs

pytestmark = pytest.mark.oracle


def test_a_real_model_at_four_bits_costs_as_much_by_both(
    decoded, tmp_path, monkeypatch
):
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    text = tmp_path / "text.txt"
    text.write_text(prose(), "utf-8")
    (made,) = quantize(decoded, tmp_path / "q4_0.gguf", ["Q4_0"]).files
    args = (made.file, decoded, text, tmp_path)
    check(ours(*args), theirs(*args))

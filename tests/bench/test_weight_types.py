from __future__ import annotations

from dataclasses import replace

from medassist.bench.events import Planned
from medassist.bench.result_page import as_html
from medassist.bench.result_text import as_text
from medassist.bench.targets import targets
from medassist.bench.weight_types import larger_than_promised, types_said
from tests.bench.lines import model, speed
from tests.bench.measured import SMALL, measure

Q3 = model("Q3_K_M").model_copy(
    update={"bytes": 5000, "bits": 5.0, "types": {"Q5_0": 700, "Q8_0": 300}}
)
Q4 = model("Q4_0").model_copy(update={"bytes": 4500})
SAID = (
    "Q3_K_M.gguf (Q3_K_M) is larger than Q4_0.gguf (Q4_0): its weights really are "
    "Q5_0 70% Q8_0 30%, 5.00 bits each."
)


def test_a_file_that_is_larger_than_one_of_a_higher_type_is_named_with_its_types():
    assert larger_than_promised([Q4, Q3]) == [SAID]
    assert larger_than_promised([model("Q8_0", 8000), Q4]) == []
    text = as_text([*speed(Q4, [10.0]), *speed(Q3, [10.0])], [])
    assert SAID in text
    page = as_html([*speed(Q4, [10.0]), *speed(Q3, [10.0])], [])
    assert SAID in page


def test_another_model_may_be_as_large_as_it_likes():
    large = Q3.model_copy(update={"params": 7 * Q4.params})
    assert larger_than_promised([Q4, large]) == []


def test_of_a_name_that_promises_nothing_nothing_is_said():
    unknown = Q3.model_copy(update={"quantization": ""})
    assert larger_than_promised([Q4, unknown]) == []
    assert types_said(unknown.model_copy(update={"types": {}})) == "-"


def test_it_is_said_before_anything_is_measured(files, tmp_path):
    (found,) = targets([files.base])
    other = replace(found, facts=Q3.model_copy(update={"params": found.facts.params}))
    higher = found.facts.model_copy(update={"quantization": "Q8_0", "bytes": 10})
    wishes = replace(SMALL, tests=frozenset(("speed",)))
    wanted = [replace(found, facts=higher), other]
    planned = measure(wishes, wanted, tmp_path / "r.jsonl")[0]
    assert isinstance(planned, Planned)
    assert any("is larger than" in note for note in planned.notes)

"""Which positions count where a model sends tokens to experts."""

from __future__ import annotations

import torch

from convert.verify.routing import LEAST, settled_positions

COUNT = 2
LONG = tuple(range(LEAST + 20))


def wanted(text: tuple[int, ...], *, seed: int = 1) -> list[torch.Tensor]:
    """Of two routers: four experts, each the best by much at some positions."""
    generator = torch.Generator().manual_seed(seed)
    routers: list[torch.Tensor] = []
    for _ in range(2):
        order = torch.stack(
            [torch.randperm(4, generator=generator) for _ in range(len(text))]
        )
        routers.append(order.float())
    return routers


def near_tie(values: list[torch.Tensor], at: int, gap: float) -> None:
    values[1][at] = torch.tensor([3.0, 1.0 + gap, 1.0, 0.0])


def settled(exact, rounded, text=LONG):
    return settled_positions({text: exact}, {text: rounded}, [COUNT, COUNT], [text])


def test_all_count_where_rounding_moves_less_than_experts_are_apart():
    exact = wanted(LONG)
    rounded = [values + 0.1 * torch.rand_like(values) for values in exact]
    found = settled(exact, rounded)
    assert found is not None
    assert found[LONG].all()


def test_from_a_near_tie_on_nothing_counts_for_what_is_behind_looks_back():
    exact = wanted(LONG)
    near_tie(exact, LEAST + 5, 0.01)
    rounded = [values.clone() for values in exact]
    rounded[1][LEAST + 5, 2] += 0.009  # not swapped, and near enough to be
    found = settled(exact, rounded)
    assert found is not None
    assert found[LONG].sum() == LEAST + 5
    assert found[LONG][: LEAST + 5].all()


def test_a_gap_of_more_than_twice_the_rounding_is_no_tie():
    exact = wanted(LONG)
    near_tie(exact, LEAST + 5, 0.01)
    rounded = [values.clone() for values in exact]
    rounded[1][LEAST + 5, 2] += 0.003
    found = settled(exact, rounded)
    assert found is not None
    assert found[LONG].all()


def test_what_leaves_too_little_proves_nothing():
    exact = wanted(LONG)
    near_tie(exact, LEAST - 1, 0.01)
    rounded = [values.clone() for values in exact]
    rounded[1][LEAST - 1, 2] += 0.02
    assert settled(exact, rounded) is None


def test_an_expert_that_is_met_behind_a_tie_alone_leaves_nothing_proven():
    exact = wanted(LONG)
    for values in exact:  # the last expert is wanted nowhere but at the end
        values[:, 3] = -1
        values[-1, 3] = 9
    near_tie(exact, LEAST + 5, 0.01)
    rounded = [values.clone() for values in exact]
    assert settled(exact, rounded) is not None
    rounded[1][LEAST + 5, 2] += 0.02
    assert settled(exact, rounded) is None


def test_a_model_without_routers_has_nothing_to_set_aside():
    assert settled_positions({LONG: []}, {LONG: []}, [], [LONG]) is None
    assert settled_positions({}, {}, [COUNT], [LONG]) is None

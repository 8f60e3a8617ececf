"""Finds where a model's own routers choose the same experts under any rounding.

A router sends a token to the experts that it wants most. Where it wants two about as
much, a rounding decides between them, and two programs that round alike but sum in
another order may go two ways there, both of them right; the logits differ by far more
than rounding alone explains, from that position on.

So the model is asked itself: it computes once in float32 and once rounded as the file
is. By how much a router's values move between the two is the most that rounding does
to them: between two programs that round alike it is less. Where the last expert chosen
leads the first one left out by more than twice that, in both, no rounding swaps them:
the router is sure. A position is settled if the routers of all layers are sure at it
and at all before it, since it looks back at those.

The file has no say in this: one that is wrong excuses nothing by it. And what is left
must say enough: as many positions as `LEAST`, and among them every expert that any
position was sent to, so that a damaged one is still met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

LEAST = 100
"""Positions without which nothing is proven."""

Text = tuple[int, ...]
Values = list[torch.Tensor]
"""For each router the values of all experts at each place of a text: (T, experts)."""
Settled = Mapping[Text, torch.Tensor]
"""For each text whether a position is settled: (T,)."""


def settled_positions(
    exact: Mapping[Text, Values],
    rounded: Mapping[Text, Values],
    chosen: Iterable[int],
    texts: Iterable[Text],
) -> Settled | None:
    """The positions of `texts` at which no rounding swaps experts.

    Args:
        exact: what the model's routers want in float32.
        rounded: and with the file's rounding.
        chosen: of each router how many experts it sends a token to.
        texts: that both have read.

    Returns:
        `None` where too little is settled, or the model has no routers.
    """
    counts, texts = [*chosen], [*texts]
    if not counts or any(text not in exact or text not in rounded for text in texts):
        return None
    found = {text: _settled(exact[text], rounded[text], counts) for text in {*texts}}
    kept = sum(int(found[text].sum()) for text in texts)
    if kept < LEAST:
        return None
    for router, count in enumerate(counts):
        met, of_all = (
            torch.cat(
                [
                    rounded[text][router][mask].topk(count).indices.flatten()
                    for text, mask in masks.items()
                ]
            ).unique()
            for masks in (found, {t: torch.ones_like(m) for t, m in found.items()})
        )
        if len(met) < len(of_all):
            return None
    return found


def _settled(exact: Values, rounded: Values, counts: list[int]) -> torch.Tensor:
    sure = torch.ones(len(exact[0]), dtype=torch.bool)
    for one, two, count in zip(exact, rounded, counts, strict=True):
        if count >= one.shape[1]:
            continue  # all experts are asked
        moved = (one - two).abs().amax(dim=1)
        for values in (one, two):
            best = values.topk(count + 1).values
            sure &= best[:, count - 1] - best[:, count] > 2 * moved
        same = one.topk(count).indices.sort().values == (
            two.topk(count).indices.sort().values
        )
        sure &= same.all(dim=1)
    return sure.cumprod(dim=0).bool()

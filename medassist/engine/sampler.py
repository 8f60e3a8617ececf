"""Chooses the next token with llama.cpp's sampler chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as llama

from medassist.core.values import Sampling
from medassist.engine.context import Context
from medassist.engine.native_object import NativeObject

REPEAT_WINDOW = 64
NO_PENALTY = 0.0
MIN_KEEP = 1


class Sampler(NativeObject):
    """A sampler chain for one answer, seeded anew.

    The repeat penalty looks at the answer alone and not at the prompt, or the
    names of the very things that were asked about would be held down.

    Args:
        sampling: how it chooses.
        vocabulary_size: tokens of the model.
        written: the last tokens of an answer that is written on: they count for the
            penalty.
    """

    def __init__(
        self, sampling: Sampling, vocabulary_size: int, written: Sequence[int] = ()
    ) -> None:
        chain = llama.llama_sampler_chain_init(
            llama.llama_sampler_chain_default_params()
        )
        super().__init__(lambda: llama.llama_sampler_free(chain))
        self.chain = chain

        def add(sampler: llama.llama_sampler_p) -> None:
            llama.llama_sampler_chain_add(chain, sampler)

        if sampling.repeat_penalty != 1:
            add(
                llama.llama_sampler_init_penalties(
                    vocabulary_size,
                    REPEAT_WINDOW,
                    sampling.repeat_penalty,
                    NO_PENALTY,
                    NO_PENALTY,
                )
            )
        if sampling.temperature == 0:
            add(llama.llama_sampler_init_greedy())
        else:
            self._add_choice(sampling, add)
        for token in written[-REPEAT_WINDOW:]:
            llama.llama_sampler_accept(chain, token)

    @staticmethod
    def _add_choice(
        sampling: Sampling, add: Callable[[llama.llama_sampler_p], None]
    ) -> None:
        if sampling.top_k:
            add(llama.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            add(llama.llama_sampler_init_top_p(sampling.top_p, MIN_KEEP))
        if sampling.min_p:
            add(llama.llama_sampler_init_min_p(sampling.min_p, MIN_KEEP))
        add(llama.llama_sampler_init_temp(sampling.temperature))
        add(llama.llama_sampler_init_dist(sampling.seed))

    def sample(self, context: Context) -> int:
        """The next token, from the logits that `context` computed last.

        Raises:
            ModelFileError: what stands for it shows that the model's file is damaged.
        """
        token = llama.llama_sampler_sample(self.chain, context.context, -1)
        context.require_sound_choice(token)
        return token

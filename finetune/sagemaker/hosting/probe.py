"""Probes whether the tuned model of an endpoint differs from its base.

Servers answer for an adapter that they do not have with the base, and say nothing. So
both sides are asked the same, and have to differ: in their words, or in how likely they
hold the words by far more than the base differs from itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from finetune.data.prepared_records import RecordMessage
from finetune.evaluate.written_answers import read_prompts
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosting.invoke import Endpoint, EndpointAnswer
from finetune.sagemaker.hosting.question import EndpointQuestion

QUESTIONS = 3
TOKENS = 24
APART = 10.0
"""So many times as far as the base is from itself."""
LEAST = 1e-3
"""Nats by which two answers of one model may differ: sums in another order."""


class NotTuned(SageMakerError):
    """Base and tuned answer alike: the adapter is not at work."""


@dataclass(frozen=True)
class ProbedEndpoint:
    """Evidence by which base and tuned were told apart."""

    question: str
    by: str
    """`words` or `likelihoods`."""


def probe(endpoint: Endpoint) -> ProbedEndpoint:
    """Show that the tuned side of an endpoint is not its base.

    Raises:
        NotTuned: no question tells them apart.
        SageMakerError: it does not answer.
    """
    for prompt in read_prompts()[:QUESTIONS]:
        asked = EndpointQuestion(
            (RecordMessage(role="user", content=prompt.prompt),),
            max_tokens=TOKENS,
            likelihoods=True,
        )
        base = endpoint.answer("base", asked)
        tuned = endpoint.answer("tuned", asked)
        again = endpoint.answer("base", asked)
        if base.text == again.text and base.text != tuned.text:
            return ProbedEndpoint(prompt.prompt, "words")
        itself = max(_apart(base, again), LEAST)
        if _apart(base, tuned) > APART * itself:
            return ProbedEndpoint(prompt.prompt, "likelihoods")
    raise NotTuned(
        f"base and tuned answered {QUESTIONS} questions in the same words, and held "
        "them for equally likely: the adapter is not at work on this endpoint"
    )


def _apart(one: EndpointAnswer, other: EndpointAnswer) -> float:
    """The largest difference of two answers, token by token, as far as both go."""
    pairs = zip(one.likelihoods, other.likelihoods, strict=False)
    return max((abs(a - b) for a, b in pairs), default=0.0)

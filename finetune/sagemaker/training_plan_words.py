"""A plan as a person reads it."""

from __future__ import annotations

from finetune.sagemaker.money import Dollars
from finetune.sagemaker.training_plan import Plan
from medassist.core.words import duration, memory


def told(plan: Plan) -> str:
    """The plan as a person reads it."""
    lines = [f"{plan.recipe} on {plan.instances} x {plan.instance}, {_where(plan)}"]
    if plan.price is not None:
        lines.append(f"  price     {plan.price.told}")
    if plan.tokens is not None:
        lines.append(f"  tokens    about {plan.tokens:,} in all")
    if plan.memory is not None and plan.available is not None:
        lines.append(
            f"  memory    about {memory(plan.memory)} of {memory(plan.available)}"
        )
    if plan.seconds is not None and plan.seconds.expected is not None:
        lines.append(f"  time      about {duration(plan.seconds.expected)}")
    if plan.quota is not None:
        lines.append(f"  quota     {plan.quota.value:g} ({plan.quota.name})")
    lines.append(f"  image     {plan.image}")
    if plan.limits is not None:
        lines.append(f"  limits    {plan.limits.told}")
    if plan.cost is not None:
        lines.append(f"  cost      {_cost(plan.cost)} of ${plan.budget:.2f}")
    lines += [f"  {note}" for note in plan.notes]
    if plan.may_begin:
        lines.append("Nothing stands in the way. Nothing was made.")
    else:
        lines += ["Refused:", *(f"- {reason}" for reason in plan.reasons)]
    return "\n".join(lines)


def _where(plan: Plan) -> str:
    where = f"{plan.region} ({plan.country})"
    return f"{where}, account {plan.account}" if plan.account else where


def _cost(found: Dollars) -> str:
    parts = [("storage", found.storage), ("endpoint", found.endpoint)]
    parts.append(("earlier jobs", found.earlier))
    if found.expected is not None:
        parts.insert(0, ("training", found.expected - found.set_aside))
    told = ", ".join(f"{name} ${part:.2f}" for name, part in parts if part)
    about = "the training not known"
    if found.expected is not None:
        about = f"about ${found.expected:.2f}"
    return f"{about} ({told}); at worst ${found.worst:.2f}"

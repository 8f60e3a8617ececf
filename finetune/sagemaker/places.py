"""places.yaml: regions, accounts of images, instances, prices with their dates."""

from __future__ import annotations

import datetime
import difflib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import field_validator

from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosts import suffix_of
from medassist.frozen_model import FrozenModel

FILE = Path(__file__).with_suffix(".yaml")
Use = Literal["training", "hosting"]
Processor = Literal["gpu", "cpu"]
EngineKind = Literal["vllm", "llama-cpp"]
"""Engine of an endpoint."""


class Instance(FrozenModel):
    """A type of instance."""

    memory: int
    """GiB."""
    gpus: int = 0
    gpu: str = ""
    gpu_memory: int = 0
    """MiB of each GPU."""
    matrix: float | None = None
    """TFLOP/s of matrix products of each GPU; None: nobody measured it."""
    own_disk: int = 0
    """GB of its own disk; 0: it has none, and a volume is made."""


class Prices(FrozenModel):
    """Dollars an hour, of a use in a region, as somebody saw them on a day."""

    use: Use
    region: str
    date: datetime.date
    dollars: dict[str, Decimal]

    @field_validator("dollars", mode="before")
    @classmethod
    def _exactly(cls, values: dict[str, float]) -> dict[str, str]:
        return {name: str(value) for name, value in values.items()}


class BaseForm(FrozenModel):
    """The form of a base that need not be at hand."""

    hidden: int
    feed_forward: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool = False


class Places(FrozenModel):
    """The table."""

    read: datetime.date
    countries: dict[str, str]
    usual_account: str
    usual_regions: tuple[str, ...]
    accounts: dict[str, str]
    training_images: dict[Processor, str]
    serving_images: dict[EngineKind, dict[Processor, str]]
    serving_host: str
    """InferenceAmiVersion of endpoints with a GPU."""
    instances: dict[str, Instance]
    prices: tuple[Prices, ...]
    storage: dict[Literal["s3", "logs"], Decimal]
    bases: dict[str, BaseForm]

    @field_validator("storage", mode="before")
    @classmethod
    def _exactly(cls, values: dict[str, float]) -> dict[str, str]:
        return {name: str(value) for name, value in values.items()}


@cache
def table() -> Places:
    """The table, read once."""
    return Places.model_validate(yaml.safe_load(FILE.read_text("utf-8")))


def account(region: str) -> str:
    """The account that the images lie in, in `region`.

    Raises:
        SageMakerError: no region of that name is known here.
    """
    known = table()
    if region in known.usual_regions:
        return known.usual_account
    if region in known.accounts:
        return known.accounts[region]
    near = difflib.get_close_matches(region, known.countries, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise SageMakerError(
        f"there is no region {region} among those that have the images: {meant}"
        f"Known: {', '.join(known.countries)}"
    )


def country(region: str) -> str:
    """Country in which the data of a region lies."""
    account(region)
    return table().countries[region]


def instance(name: str) -> Instance:
    """A type of instance.

    Raises:
        SageMakerError: it is not in the table, so that its memory is not known.
    """
    known = table().instances
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise SageMakerError(
        f"{name} is no type of instance that is known here: {meant}"
        f"Known: {', '.join(known)}"
    )


def training_image(region: str, instance_name: str) -> str:
    """The address of the image that trains on `instance_name` in `region`.

    Raises:
        SageMakerError: the region or the instance is not known.
    """
    return _image(region, table().training_images[_processor(instance_name)])


def serving_image(region: str, engine: EngineKind, instance_name: str) -> str:
    """The address of the image that answers on `instance_name` in `region`.

    Raises:
        SageMakerError: the region or the instance is not known, or the engine has no
            image for such an instance.
    """
    processor = _processor(instance_name)
    name = table().serving_images[engine].get(processor)
    if name is None:
        raise SageMakerError(
            f"there is no image of {engine} that runs on {instance_name}, which has no "
            "GPU: take an instance with one by --instance, or --engine llama-cpp"
        )
    return _image(region, name)


def _processor(instance_name: str) -> Processor:
    return "gpu" if instance(instance_name).gpus else "cpu"


def _image(region: str, name: str) -> str:
    return f"{account(region)}.dkr.ecr.{region}.{suffix_of(region)}/{name}"

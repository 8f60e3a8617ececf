"""The table of places against what AWS says of its instances."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import moto
import pytest

from finetune.sagemaker import places

KNOWN: dict[str, Any] = json.loads(
    gzip.decompress(
        (
            Path(moto.__file__).parent / "ec2/resources/instance_types.json.gz"
        ).read_bytes()
    )
)
"""EC2's own DescribeInstanceTypes, as moto has it."""


@pytest.mark.parametrize("name", places.table().instances)
def test_an_instance_has_what_aws_says_it_has(name: str) -> None:
    ours, theirs = places.instance(name), KNOWN[name.removeprefix("ml.")]
    (gpu,) = theirs.get("GpuInfo", {}).get("Gpus", [{}])
    assert ours.memory * 1024 == theirs["MemoryInfo"]["SizeInMiB"]
    assert ours.gpus == gpu.get("Count", 0)
    assert ours.gpu == gpu.get("Name", "")
    assert ours.gpu_memory == gpu.get("MemoryInfo", {}).get("SizeInMiB", 0)
    disk = theirs.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)
    assert ours.own_disk == disk


def test_a_speed_stands_only_where_somebody_measured_it() -> None:
    measured = {m.gpu for m in places.table().instances.values() if m.matrix}
    assert measured == {"A10G"}


def test_each_region_has_a_country_and_one_account_of_images() -> None:
    known = places.table()
    for region in known.countries:
        assert places.country(region)
        assert (region in known.usual_regions) != (region in known.accounts)

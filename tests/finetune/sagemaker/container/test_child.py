"""How the training is started: alone, by torchrun, on several hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.sagemaker.container.contract import Contract, JobFailed
from finetune.sagemaker.container.job_process import command


def contract(folder: Path, host: str, hosts: list[str], **own: str) -> Contract:
    file = folder / "input/config/resourceconfig.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {"current_host": host, "hosts": hosts, "network_interface_name": "eth0"}
    file.write_text(json.dumps(told), "utf-8")
    return Contract.read({"MEDASSIST_JOB_FOLDER": str(folder), **own})


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_one_process_needs_no_torchrun(tmp_path: Path) -> None:
    words = command(contract(tmp_path, "algo-1", ["algo-1"]), Path("b"), None, "python")
    assert words[:4] == ["python", "-m", "finetune", "train"]
    assert "--budget" not in words


def test_each_host_has_its_place_and_all_of_them_are_paid_for(tmp_path: Path) -> None:
    hosts = ["algo-2", "algo-1"]
    own = {"MEDASSIST_PROCESSES": "4", "MEDASSIST_PRICE": "2.5"}
    second = contract(tmp_path, "algo-2", hosts, **own)
    assert not second.first
    words = command(second, Path("base"), 12.5)
    assert words[1:3] == ["-m", "torch.distributed.run"]
    assert after(words, "--nnodes") == "2"
    assert after(words, "--nproc-per-node") == "4"
    assert after(words, "--node-rank") == "1"
    assert after(words, "--master-addr") == "algo-1"
    assert float(after(words, "--price")) == 5.0
    assert float(after(words, "--budget")) == 12.5
    assert contract(tmp_path, "algo-1", hosts, **own).first


@pytest.mark.parametrize("text", ["", "many", "-1", "inf"])
def test_a_limit_that_is_no_number_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(JobFailed, match="MEDASSIST_BUDGET_SECONDS"):
        contract(tmp_path, "algo-1", ["algo-1"], MEDASSIST_BUDGET_SECONDS=text)


def test_a_host_that_is_none_of_the_hosts_is_said(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="current_host"):
        contract(tmp_path, "algo-3", ["algo-1"])

"""Results in a job's model folder: the adapter, and the account of its training.

Never checkpoints: they would be gigabytes, and lie beside it already.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from finetune.sagemaker.container.contract import JobFailed
from finetune.sagemaker.container.keeping import put_finished
from medassist.core.files import sha256_of_file
from medassist.core.run_folder import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    METRICS,
    RECIPE,
    TRAINING,
)

RESULTS = (TRAINING, METRICS, RECIPE)


def has_result(folder: Path) -> bool:
    """Whether an adapter lies in a run folder, or in a folder of results."""
    return (folder / ADAPTER / ADAPTER_WEIGHTS).is_file()


def give_results(run: Path, model: Path, *, adapter: bool) -> None:
    """Copy what a run folder has come to into the folder of results.

    Args:
        run: the run folder.
        model: the folder of results.
        adapter: the run's own adapter too, which only a training that ended has.

    Raises:
        JobFailed: the adapter did not arrive whole.
        OSError: it cannot be written.
    """
    model.mkdir(parents=True, exist_ok=True)
    if adapter:
        put_finished(run / ADAPTER, model)
    for name in RESULTS:
        if (run / name).is_file():
            shutil.copyfile(run / name, model / name)
    if not adapter:
        return
    training = json.loads((run / TRAINING).read_text("utf-8"))
    if sha256_of_file(model / ADAPTER / ADAPTER_WEIGHTS) != training["adapter_sha256"]:
        raise JobFailed(
            f"{model / ADAPTER} is not the adapter that was trained; the disk may be "
            "full, or broken"
        )

"""The entry point of a training job: `exec python entry.py`, as process 1.

As process 1, since SageMaker's SIGTERM reaches that process alone. It stands in the
channel `code`, beside wheels/ with medassist's own wheel, which is a zip archive that
Python imports from.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """The exit status: 0 when an adapter is there, 1 when output/failure says why."""
    wheels = sorted((Path(__file__).parent / "wheels").glob("medassist-*.whl"))
    if wheels:
        sys.path.insert(0, str(wheels[0]))
    from finetune.sagemaker.container.job import run_job

    return run_job(Path(__file__).parent)


if __name__ == "__main__":
    sys.exit(main())

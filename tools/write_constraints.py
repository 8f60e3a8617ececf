"""Write the versions that are installed in this environment to constraints.txt.

Local version labels (the `+cpu` of a torch build) are left out, so that another
machine can take its own build of the same version.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEADER = """\
# The tested version of everything, made by `make constraints`. Do not edit by hand.
"""
# Part of every environment, and not of ours.
LEFT_OUT = {"medassist", "pip", "setuptools", "wheel"}


def main() -> None:
    command = [sys.executable, "-m", "pip", "list", "--format=json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    pins = {
        str(p["name"]).lower().replace("_", "-"): str(p["version"]).split("+")[0]
        for p in listed
    }
    lines = [f"{n}=={v}\n" for n, v in sorted(pins.items()) if n not in LEFT_OUT]
    target = Path(__file__).parents[1] / "constraints.txt"
    target.write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"{target.name}: {len(lines)} versions")


if __name__ == "__main__":
    main()

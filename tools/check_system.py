"""Say what this system lacks to build medassist, with the line that installs it.

    python3 tools/check_system.py [--no-compiler]

Runs with the system's own Python before anything else exists, so it keeps to what
any Python 3 understands, and to the standard library.
"""

import importlib.util
import os
import shutil
import sys

OLDEST = (3, 11)


def missing(compiler=True):
    """Debian packages that are needed and not there."""
    packages = []
    if not all(importlib.util.find_spec(m) for m in ("venv", "ensurepip")):
        packages.append("python3-venv")
    if not compiler:
        return packages
    compilers = [os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")]
    if not all(shutil.which(c.split()[0]) for c in compilers):
        packages.append("build-essential")
    if not shutil.which("cmake"):
        packages.append("cmake")
    return packages


def main(arguments):
    if sys.version_info < OLDEST:
        found = (
            f"{sys.executable} is Python {sys.version_info[0]}.{sys.version_info[1]}"
        )
        return (
            f"medassist needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and {found}. "
            "Install a newer one and name it: make run PYTHON=python3.11"
        )
    packages = missing(compiler="--no-compiler" not in arguments)
    if packages == ["cmake"]:
        print("There is no cmake here, so pip fetches one to compile llama.cpp with.")
        return None
    if not packages:
        return None
    return (
        f"This system lacks: {', '.join(packages)}.\n"
        "On Debian and Ubuntu this installs it:\n\n"
        f"    sudo apt-get install {' '.join(packages)}\n\n"
        "On macOS: xcode-select --install\n"
        "Without a compiler: make run WHEELS=cpu takes a ready wheel of llama.cpp."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m convert ...`: the same verbs as `medassist convert ...`."""

from convert.commands import app
from medassist.core.terminal import run_package

if __name__ == "__main__":
    run_package(app, "convert")

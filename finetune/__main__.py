"""`python -m finetune ...`: the verbs of `medassist finetune ...`.

All but `starter`, which goes on into `convert`; that is `medassist finetune starter`.
"""

from finetune.commands import app
from medassist.core.terminal import run_package

if __name__ == "__main__":
    run_package(app, "finetune")

"""`medassist models ...`: the models and pairs on this computer, one file a verb.

Each verb imports the library when it is called; what is printed is in `output.py`.
"""

from __future__ import annotations

from medassist.commands.models import (
    check,
    default,
    import_model,
    list_models,
    pair,
    pull,
    remove,
    show,
)
from medassist.core.verbs import verbs

app = verbs(
    "models",
    "The models and pairs on this computer: list, import, pair, check, pull.",
)
app.command("list")(list_models.list_models)
app.command("show")(show.show)
app.command("import")(import_model.import_model)
app.command("pair")(pair.pair)
app.command("default")(default.default)
app.command("remove")(remove.remove)
app.command("check")(check.check)
app.command("pull")(pull.pull)

"""The file that a consultation of the page is exported as.

What it says is what an export of the terminal says, in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from medassist.records.export import Form, suggested_name
from medassist.records.export.export_document import compose, texts, unmasked
from medassist.records.record import WarningGiven, now
from medassist.serve.openai.request_parameters import Strict
from medassist.serve.page.held import HeldConsultation
from medassist.session.identifier_check import LookedFor, look_for_identifiers

PageForm = Literal["markdown", "html", "json"]
"""Without PDF: a browser prints the HTML as one."""
TYPES: Final[Mapping[PageForm, str]] = {
    "markdown": "text/markdown;charset=utf-8",
    "html": "text/html;charset=utf-8",
    "json": "application/json",
}


class ExportRequest(Strict):
    """Request for an export, its form, and what becomes of identifiers in it."""

    consultation: HeldConsultation
    form: PageForm = "markdown"
    thoughts: bool = False
    identifiers: Literal["ask", "keep", "replace"] = "ask"


def look(request: ExportRequest) -> LookedFor:
    """Finds identifiers of the patient in the export. For a thread."""
    return look_for_identifiers(texts(request.consultation.record(), request.thoughts))


def export(request: ExportRequest, looked: LookedFor) -> dict[str, Any]:
    """The file: its name, type and content. For a thread."""
    record = request.consultation.record()
    replaces = request.identifiers == "replace"
    outcome: Literal["kept", "replaced"] = "replaced" if replaces else "kept"
    warned = tuple(
        WarningGiven(kind, count, "exporting", outcome, now())
        for kind, count in looked.counts.items()
    )
    every = texts(record, request.thoughts)
    known = dict(zip(every, looked.without, strict=True)) if replaces else {}
    document = compose(
        record,
        warned,
        mask=unmasked,  # the server hid names before it sent the answers
        redact=lambda text: known.get(text, text),
        thoughts=request.thoughts,
    )
    form: Form = request.form
    match request.form:
        case "markdown":
            from medassist.records.export.markdown import markdown as write
        case "html":
            from medassist.records.export.html import html as write
        case "json":
            from medassist.records.export.as_json import as_json as write
    return {
        "name": suggested_name(form, now()),
        "type": TYPES[request.form],
        "content": write(document),
    }

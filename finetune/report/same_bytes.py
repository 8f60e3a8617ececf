"""Reproducible zip files: fixed order, times and settings."""

from __future__ import annotations

import io
import re
import zipfile

MOMENT = (2000, 1, 1, 0, 0, 0)
ISO_MOMENT = "2000-01-01T00:00:00Z"
_DATES = re.compile(
    rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:(?:created|modified)>)"
)


def same_zip(content: bytes) -> bytes:
    """The same archive, with fixed times; workbooks inside it are treated likewise."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        # Readers look for the list of content types first.
        names = sorted(old.namelist(), key=lambda n: (n != "[Content_Types].xml", n))
        for name in names:
            data = old.read(name)
            if name.endswith(".xlsx"):
                data = same_zip(data)
            elif name == "docProps/core.xml":
                data = _DATES.sub(rb"\g<1>" + ISO_MOMENT.encode() + rb"\g<3>", data)
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # else it depends on the computer
            new.writestr(entry, data, compresslevel=6)
    return written.getvalue()

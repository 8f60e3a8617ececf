"""How pubmed_parser reads a folder of articles; in an environment of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    import pubmed_parser  # type: ignore[import-not-found]

    files = sorted(Path(sys.argv[1]).glob("*.xml"))
    start = time.perf_counter()
    for file in files:
        pubmed_parser.parse_pubmed_xml(str(file))
        pubmed_parser.parse_pubmed_paragraph(str(file), all_paragraph=True)
    print(len(files), time.perf_counter() - start)


if __name__ == "__main__":
    main()

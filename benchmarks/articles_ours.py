"""Our reading of a folder of JATS articles: text, licence, abstract, body."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from finetune.data.jats.article import read_articles


def main() -> None:
    files = sorted(Path(sys.argv[1]).glob("*.xml"))
    start = time.perf_counter()
    count = sum(1 for file in files for _ in read_articles(file.read_bytes()))
    print(count, time.perf_counter() - start)


if __name__ == "__main__":
    main()

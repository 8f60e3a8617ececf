"""llama.cpp's published texts and their token ids, beside its vocabularies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medassist.engine.scorer import GgufVocabulary

BETWEEN = "\n__ggml_vocab_test__\n"


@dataclass(frozen=True)
class Vectors:
    """Texts and the ids that each has."""

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]

    def wrong(self, gguf: Path) -> list[str]:
        """The texts that the GGUF reads in another way."""
        with GgufVocabulary(gguf) as vocabulary:
            return [
                text
                for text, ids in zip(self.texts, self.ids, strict=True)
                if tuple(vocabulary.tokenize(text, special=False)) != ids
            ]


def read_vectors(folder: Path, name: str) -> Vectors:
    """The vectors of the vocabulary `name` in llama.cpp's folder `models`."""
    file = folder / f"ggml-vocab-{name}.gguf"
    texts = Path(f"{file}.inp").read_bytes().decode().split(BETWEEN)
    lines = Path(f"{file}.out").read_text("utf-8").splitlines()
    ids = tuple(tuple(map(int, line.split())) for line in lines)
    return Vectors(tuple(texts[: len(ids)]), ids)

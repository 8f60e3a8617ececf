"""Run by upstream.py: upstream's converter on each of a list of jobs."""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    import convert_hf_to_gguf  # brings the gguf-py beside it
    from conversion import base, load_all_models

    load_all_models()
    usual = {
        kind: kind.__dict__["set_vocab"]
        for kind in base.ModelBase._model_classes[base.ModelType.TEXT].values()
        if "set_vocab" in kind.__dict__
    }
    load_hparams = base.ModelBase.load_hparams

    def with_rotary_pct(folder: Path, *rest: object, **more: object) -> dict:
        # It reads config.json by transformers, which gives this value another name.
        found = load_hparams(folder, *rest, **more)
        said = json.loads((folder / "config.json").read_text("utf-8"))
        return {key: said[key] for key in ("rotary_pct",) if key in said} | found

    base.ModelBase.load_hparams = staticmethod(with_rotary_pct)
    for job in json.load(sys.stdin):
        # It knows byte-level BPE by the hash of what a text becomes, which no tiny
        # tokenizer of ours has.
        pre = job["pre"]
        base.TextModel.get_vocab_base_pre = lambda self, tokenizer, pre=pre: pre
        for kind, set_vocab in usual.items():
            kind.set_vocab = (
                (lambda self: self._set_vocab_gpt2())
                if job["plain_vocabulary"]
                else set_vocab
            )
        sys.argv = [
            "convert_hf_to_gguf.py",
            job["folder"],
            *("--outfile", job["out"], "--outtype", job["type"]),
            *("--split-max-size", job["split"]),
            *(["--vocab-only"] if job["vocabulary_only"] else []),
            *(["--no-mtp"] if job["no_mtp"] else []),
        ]
        convert_hf_to_gguf.main()


if __name__ == "__main__":
    main()

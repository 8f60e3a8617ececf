"""`python peft_merge.py BASE ADAPTER OUT`: the merge as PEFT's documentation has it."""

from __future__ import annotations

import sys

from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

if __name__ == "__main__":
    base, adapter, out = sys.argv[1:]
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    merged.save_pretrained(out, max_shard_size="400MB")
    AutoTokenizer.from_pretrained(base).save_pretrained(out)

"""A PEFT adapter merged into the weights of its base."""

from convert.merge.merge import merge
from convert.merge.merge_record import RECORD, MergeRecord, read_record

__all__ = ["RECORD", "MergeRecord", "merge", "read_record"]

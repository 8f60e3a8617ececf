"""All data sets that can be read, by the names that recipes and commands use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.data.sources import (
    aci_bench,
    bioread,
    chexpert,
    clicr,
    clinical_trials,
    covid_qa,
    doctor_healthcare,
    ehr_ds_qa,
    elife_digests,
    healthqa,
    medquad,
    medquad_short,
    meqsum,
    mts_dialog,
    open_corpus,
    own_rows,
    plain_text,
    pmc_oa,
    pmc_patients,
    pubmedqa,
    table,
)
from finetune.data.sources.data_source import (
    LONGEST_RECORD,
    Broken,
    DataSource,
    Reading,
    SourceInfo,
)
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.packed import is_archive
from finetune.data.sources.unpacked_files import read_unpacked
from finetune.errors import FinetuneError

SOURCES: Mapping[str, SourceInfo] = {
    info.name: info
    for info in (
        pmc_oa.INFO,
        elife_digests.INFO,
        pmc_patients.INFO,
        ehr_ds_qa.INFO,
        bioread.INFO,
        clicr.INFO,
        healthqa.INFO,
        chexpert.INFO,
        doctor_healthcare.INFO,
        clinical_trials.INFO,
        medquad.INFO,
        medquad_short.INFO,
        pubmedqa.INFO,
        covid_qa.INFO,
        mts_dialog.INFO,
        aci_bench.INFO,
        meqsum.INFO,
        open_corpus.INFO,
        own_rows.INFO,
        plain_text.INFO,
        table.INFO,
    )
}


def source_info(name: str) -> SourceInfo:
    """Facts about the data set `name`.

    Raises:
        FinetuneError: there is none of that name; the nearest is named.
    """
    if name not in SOURCES:
        raise FinetuneError(
            f"no data set is called {name}{did_you_mean(name, SOURCES)} (known are "
            f"{', '.join(SOURCES)})"
        )
    return SOURCES[name]


def open_source(name: str, **options: Any) -> DataSource:
    """The data set `name` with `options`, ready to be read.

    Its records are checked for their length; all else is the source's own.

    Raises:
        FinetuneError: the name, an option or an option's value is not known.
    """
    info = source_info(name)
    for option in options:
        if option not in info.options:
            known = ", ".join(info.options) or "none"
            raise FinetuneError(
                f"{name} has no option {option}{did_you_mean(option, info.options)} "
                f"(it has {known})"
            )
    values = {name: _value(info, name, value) for name, value in options.items()}
    return _Checked(info.open_source(**values), info.reads_archives)


def _value(info: SourceInfo, name: str, value: Any) -> Any:
    """An option as the source's field has it; recipes write lists for tuples.

    Raises:
        FinetuneError: it is of another kind than the option's default.
    """
    default = getattr(info.open_source(), name)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple):
        value = (value,) if isinstance(value, str) else value
        if isinstance(value, (list, tuple)):
            return tuple(value)
    elif type(value) is type(default):
        return value
    expected = {tuple: "a list", str: "text", bool: "true or false"}
    expected |= {int: "a number", float: "a number"}
    wanted = expected.get(type(default), "a map")
    raise FinetuneError(
        f"{info.name}: the option {name} is {wanted}, not {value!r}; correct it"
    )


@dataclass(frozen=True)
class _Checked:
    """A source whose records are of bearable length, and that is given archives."""

    source: DataSource
    reads_archives: bool

    def files(self, root: Path) -> list[Path]:
        return self.source.files(root)

    def read(self, file: Path) -> Reading:
        if is_archive(file) and not self.reads_archives:
            records = read_unpacked(self.source, file)
        else:
            records = iter(self.source.read(file))
        while True:
            try:
                found = next(records)
            except StopIteration as end:
                return end.value
            if not isinstance(found, Broken):
                length = _length(found)
                if length > LONGEST_RECORD:
                    found = Broken(
                        found.id,
                        str(file),
                        f"has {length:,} characters; a record has at most "
                        f"{LONGEST_RECORD:,}",
                    )
            yield found


def _length(record: TextRecord | DialogueRecord) -> int:
    if isinstance(record, TextRecord):
        return len(record.text)
    return sum(len(message.content) for message in record.messages)

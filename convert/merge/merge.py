"""Merges shard by shard into a hidden folder, which is then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from convert.adapter_text_part import note_on_unused
from convert.architectures import unused_in
from convert.architectures.tied import OWN_HEAD
from convert.errors import ConvertError
from convert.foreign import no_tokenizer
from convert.gguf.lora import CANNOT_BE_MERGED
from convert.hf_folder import (
    CONFIG,
    INDEX,
    WEIGHTS,
    JsonFile,
    Weight,
    read_config,
    read_weights,
)
from convert.merge.arithmetic import merged_blocks, one_thread
from convert.merge.files_beside import FilesBeside, files_beside
from convert.merge.merge_record import RECORD, MergeRecord
from convert.merge.weight_plan import MergePlan, plan_merge
from convert.mxfp4 import MXFP4
from convert.peft_adapter import PeftAdapter, read_adapter
from convert.safetensors_file import write_safetensors
from medassist.core.card import Sha256
from medassist.core.files import (
    SHARED_FILE,
    end_of_links,
    give_name,
    sha256_of_file,
    write_whole,
)
from medassist.core.locks import HeldError, Lock
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medassist.core.words import size

SHARED_FOLDER = 0o755
_STARTED = "started.json"
_DECODED = (
    'python -c "import sys; from transformers import AutoModelForCausalLM, '
    "AutoTokenizer, Mxfp4Config; AutoModelForCausalLM.from_pretrained(sys.argv[1], "
    "quantization_config=Mxfp4Config(dequantize=True)).save_pretrained(sys.argv[2]); "
    'AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])" BASE OUT'
)


def merge(
    base: Path,
    adapter: Path,
    out: Path,
    *,
    force: bool = False,
    watcher: Watcher = unwatched,
) -> MergeRecord:
    """Merge the PEFT adapter in `adapter` into the model in `base`, as `out`.

    Memory is bounded by a block of one tensor, beside the adapter's own matrices. A
    merge that was broken off goes on at the shard where it stopped, if base and
    adapter are the same still.

    Args:
        base: a Hugging Face model with safetensors.
        adapter: a LoRA, rsLoRA or DoRA, with `modules_to_save` and added tokens.
        out: the folder to make; it appears when all of it is on the disk.
        force: replace a merged model that is there.
        watcher: is told of the bytes written.

    Raises:
        ConvertError: they cannot be merged exactly, or `out` cannot be written.
    """
    loras = read_adapter(adapter)
    plain = loras.folder
    if loras.invocation:
        raise ConvertError(f"{adapter} is an activated LoRA{CANNOT_BE_MERGED}")
    _refuse_quantized(base)
    config = read_config(base)
    weights = read_weights(base)
    plan = plan_merge(config, weights, loras)
    beside = files_beside(base, config, loras, plan)
    _check_target(out, (base, adapter), force=force)
    out = _led_to(out)
    half = out.absolute().parent / f".{out.absolute().name}.merging"
    with _only_merge(half, out):
        adapter_files = {
            name: sha256_of_file(plain / name)
            for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
        }
        _begin(half, plan, weights, adapter_files)
        hashes = _write_shards(half, plan, weights, loras, watcher)
        record = MergeRecord(
            base=base.resolve().name,
            adapter=adapter.resolve().name,
            base_files=hashes[0],
            adapter_files=adapter_files,
            merged_files=hashes[1],
            weights=sum(map(len, plan.files.values())),
            changed=plan.changed,
            bytes=plan.bytes,
            vocabulary=plan.vocabulary,
            untied=plan.untied,
            notes=_notes(base, config, loras, plan),
        )
        _write_beside(half, plan, beside, record)
        _name(half, out)
    return record


def _led_to(out: Path) -> Path:
    """Target of a link, so that the link stays and the folder behind it is replaced."""
    try:
        return end_of_links(out)
    except OSError as error:
        raise ConvertError(f"{out} cannot be written: {error.strerror}") from error


@contextmanager
def _only_merge(half: Path, out: Path) -> Generator[None]:
    """Be the only one that merges into `half`, which is removed where that fails.

    Raises:
        ConvertError: another merge is at work there, or the disk takes no more.
    """
    try:
        half.parent.mkdir(parents=True, exist_ok=True)
        with Lock(half.with_name(f"{half.name}.lock"), passing=True):
            try:
                yield
            except (OSError, ConvertError):
                shutil.rmtree(half, ignore_errors=True)
                raise
    except HeldError as held:
        raise ConvertError(
            f"another merge is writing {out}{held.holder}; wait for it, or "
            "choose another folder"
        ) from held
    except OSError as error:
        raise ConvertError(
            f"{out} cannot be written: {error.strerror or error}; choose a folder that "
            "you may write to, with room for the whole model"
        ) from error


def _refuse_quantized(base: Path) -> None:
    """Say what to merge into instead, before the general word on quantized models."""
    try:
        config = json.loads((base / CONFIG).read_text("utf-8"))
        method = config["quantization_config"].get("quant_method", "some method")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    way = "the model that they were made of, which the adapter fits as well"
    if method == MXFP4.lower():
        way = f"what this makes of them: {_DECODED}"
    raise ConvertError(
        f"{base}: the weights are quantized ({method}), and an adapter cannot be added "
        f"to them exactly; merge it into {way}"
    )


def _check_target(out: Path, sources: tuple[Path, ...], *, force: bool) -> None:
    target = out.resolve()
    for source in sources:
        if target in (source.resolve(), *source.resolve().parents):
            raise ConvertError(f"{out} is or holds {source}; choose another folder")
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / RECORD).is_file():
        raise ConvertError(
            f"{out} is there already, and no merged model; choose another name, or "
            "remove it yourself"
        )
    if not force:
        raise ConvertError(f"{out} is there already; --force replaces it")


def _begin(
    half: Path, plan: MergePlan, weights: list[Weight], adapter: dict[str, Sha256]
) -> None:
    """Make `half`, or go on with what a merge of the same files left there."""
    shards = {weight.source.file for weight in weights}
    state = {
        "adapter": adapter,
        "base": {
            file.name: (file.stat().st_size, file.stat().st_mtime_ns)
            for file in sorted(shards)
        },
        "two": plan.untied or plan.head_kept,
        "plan": [[plan.name, plan.dtype] for f in plan.files.values() for plan in f],
    }
    text = json.dumps(state)
    started = half / _STARTED
    if started.is_file() and started.read_text("utf-8") == text:
        for file in half.iterdir():  # what a kill left half done
            if file.name not in (*plan.files, _STARTED):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        return
    shutil.rmtree(half, ignore_errors=True)
    if (free := shutil.disk_usage(half.parent).free) < plan.bytes:
        raise OSError(
            errno.ENOSPC,
            f"the model has {size(plan.bytes)}, and the disk {size(free)} left",
        )
    half.mkdir(mode=SHARED_FOLDER)
    write_whole(started, text, SHARED_FILE)


def _write_shards(
    half: Path,
    plan: MergePlan,
    weights: list[Weight],
    adapter: PeftAdapter,
    watcher: Watcher,
) -> tuple[dict[str, Sha256], dict[str, Sha256]]:
    """Write what is missing of the weights.

    Returns:
        The hashes of the base's files and of the merged ones, taken by a second
        thread while this one computes.
    """
    sources = {weight.source.file.name: weight.source for weight in weights}
    done, total = 0, plan.bytes
    before: dict[str, Future[Sha256]] = {}
    after: dict[str, Future[Sha256]] = {}
    with one_thread(), ThreadPoolExecutor(1) as hashing:
        for name, plans in plan.files.items():
            before[name] = hashing.submit(sha256_of_file, sources[name].file)
            if (half / name).is_file():
                done += sum(each.info.bytes for each in plans)
            else:
                tensors = [(each.info, merged_blocks(each, adapter)) for each in plans]
                for written in write_safetensors(half / name, tensors):
                    done += written
                    watcher("merging", done, total)
            sources[name].forget()
            after[name] = hashing.submit(sha256_of_file, half / name)
        watcher("merging", total, total)
        return (
            {name: future.result() for name, future in before.items()},
            {name: future.result() for name, future in after.items()},
        )


def _write_beside(
    half: Path, plan: MergePlan, beside: FilesBeside, record: MergeRecord
) -> None:
    for name, source in beside.copied.items():
        (half / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, half / name)
    for name, text in beside.written.items():
        write_whole(half / name, text, SHARED_FILE)
    if [*plan.files] != [WEIGHTS]:
        where = {p.name: file for file, plans in plan.files.items() for p in plans}
        index = {"metadata": {"total_size": plan.bytes}, "weight_map": where}
        write_whole(half / INDEX, json.dumps(index, indent=2) + "\n", SHARED_FILE)
    write_whole(half / RECORD, record.model_dump_json(indent=2) + "\n", SHARED_FILE)
    (half / _STARTED).unlink()


def _name(half: Path, out: Path) -> None:
    """Give the finished folder its name, in the place of an older one."""
    out = out.absolute()
    old = half.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.is_dir():
        out.rename(old)
    give_name(half, out)
    shutil.rmtree(old, ignore_errors=True)


def _notes(
    base: Path, config: JsonFile, adapter: PeftAdapter, plan: MergePlan
) -> tuple[str, ...]:
    notes: list[str] = []
    said = Path(adapter.base_name).name if adapter.base_name else None
    known = {base.resolve().name, Path(str(config.values.get("_name_or_path"))).name}
    if said and said not in known:
        notes.append(
            f"the adapter names {said} as its base, and this one is "
            f"{base.resolve().name}; shapes and names fit"
        )
    if plan.untied:
        notes.append(
            "embedding and output layer were one tensor in the base; the adapter "
            "changes only one of them, so they are two now"
        )
    if plan.head_kept:
        notes.append(
            f"in {base.resolve().name} {OWN_HEAD}; both are kept, and the merged "
            "config.json says that they are two"
        )
    if plan.left_out:
        notes.append(
            f"text only: the base sees no images, and {plan.left_out} parts of the "
            "adapter are for a vision tower or a projector and are left out"
        )
    if said := note_on_unused(adapter, unused_in(config)):
        notes.append(said)
    if said := no_tokenizer(base, adapter.folder, shown=base.resolve().name):
        notes.append(f"{said}; without one no GGUF can be made of the merged model")
    return tuple(notes)

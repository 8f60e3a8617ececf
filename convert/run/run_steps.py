"""The steps of a run folder: inputs, outputs and order.

    base/ ──▶ base-f16.gguf ──▶ base-TYPE.gguf
    adapter/ ──▶ adapter.gguf                       on base-f16.gguf
    base/ + adapter/ ──▶ merged/ ──▶ tuned-f16.gguf ──▶ tuned-TYPE.gguf ──▶ Modelfile

Of a run that was trained on a GGUF that file is the base as it is, and the adapter
stays beside it: only adapter.gguf is made, unless a merged model is asked for.

Each GGUF is verified right after it is made: a quantized one against what it was made
from, all others against the Hugging Face model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from convert.errors import ConvertError, NeedsMerging
from convert.gguf.adapter import check_convertible, convert_adapter
from convert.gguf.model import About, convert_model
from convert.merge.merge import merge
from convert.modelfile import ModelfileParts, beside, modelfile
from convert.ollama.model_settings import OllamaSettings, OllamaWishes, settings_of
from convert.peft_adapter import PeftAdapter
from convert.quantize import quantize
from convert.run.convertible_run import ConvertibleRun
from convert.run.step_ledger import Hashed, LedgerStep
from convert.verify.gate import verify_adapter, verify_model
from convert.verify.result import read_verified
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.progress import Watcher
from medassist.core.proofs import Verified
from medassist.core.run_folder import MODELFILE

UNQUANTIZED = "f16"
USUAL = ("Q4_K_M", "Q8_0")


@dataclass(frozen=True)
class RunWishes:
    """The user's options for a conversion.

    Attributes:
        types: to quantize to, as `quantization_types.read_types` gives them; `None`
            where the user says nothing of them.
        imatrix: an importance matrix for the quantizer.
        text: what the loss of quantizing is measured on; else the built-in prose.
        system: the system prompt of the Modelfile.
        stops: texts that end an answer in Ollama, besides those of the model.
        merge: make a merged model of an adapter that was trained on a GGUF, too.
        threads: for llama.cpp; by default one for each core.
    """

    types: tuple[str, ...] | None = ()
    imatrix: Path | None = None
    text: Path | None = None
    system: str | None = None
    stops: tuple[str, ...] = ()
    merge: bool = False
    threads: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types to quantize to, with defaults."""
        return USUAL if self.types is None else self.types


@dataclass(frozen=True)
class Planner:
    """Plans the steps of one run folder."""

    run: ConvertibleRun
    wishes: RunWishes
    watcher: Watcher

    @property
    def merges(self) -> PeftAdapter | None:
        """The adapter to merge, if there is one."""
        wanted = self.run.gguf is None or self.wishes.merge
        return self.run.plain if wanted else None

    @property
    def whole(self) -> Path:
        """The GGUF of the base on which adapters are verified."""
        return self.run.gguf or self.file(f"base-{UNQUANTIZED}")

    def steps(self) -> Iterator[LedgerStep]:
        """All steps in order."""
        base = self.run.base
        # The base is asked as its adapter was taught, by Ollama and llama.cpp too.
        template = self.run.template
        if self.run.gguf is None:
            yield from self._model("base", base, template)
            yield from self._quantized("base", base, template)
        for name, adapter in self.run.adapters.items():
            yield from self._adapter(name, adapter)
        if (plain := self.merges) is None:
            return
        merged = self.run.folder.merged
        yield LedgerStep(
            "merge",
            (base, plain.folder),
            (merged,),
            lambda: merge(base, plain.folder, merged, force=True, watcher=self.watcher),
            {},
        )
        yield from self._model("tuned", merged)
        yield from self._quantized("tuned", merged)
        yield self._modelfile()

    def file(self, name: str) -> Path:
        """The GGUF `name`.gguf of the run."""
        return self.run.folder.gguf / f"{name}.gguf"

    def _model(
        self, name: str, source: Path, template: str | None = None
    ) -> Iterator[LedgerStep]:
        target = self.file(f"{name}-{UNQUANTIZED}")
        yield LedgerStep(
            target.stem,
            (source,),
            (target,),
            lambda: convert_model(
                source,
                target,
                About(),
                UNQUANTIZED,
                force=True,
                template=template,
                watcher=self.watcher,
            ),
            {"template": sha256(template.encode()).hexdigest()} if template else {},
        )
        yield self._verified(
            target,
            (source,),
            lambda: verify_model(source, target, template=template, **self._how()),
        )

    def _quantized(
        self, name: str, source: Path, template: str | None = None
    ) -> Iterator[LedgerStep]:
        whole = self.file(f"{name}-{UNQUANTIZED}")
        imatrix, text = self.wishes.imatrix, self.wishes.text
        for kind in self.wishes.kinds:
            target = self.file(f"{name}-{kind.lower()}")
            yield LedgerStep(
                target.stem,
                (whole, imatrix) if imatrix else (whole,),
                (target,),
                lambda target=target, kind=kind: quantize(
                    whole,
                    target,
                    [kind],
                    imatrix=imatrix,
                    threads=self.wishes.threads,
                    force=True,
                    watcher=self.watcher,
                ),
                {"type": kind},
            )
            yield self._verified(
                target,
                (source, whole, text) if text else (source, whole),
                lambda target=target: verify_model(
                    source,
                    target,
                    against=whole,
                    text=text,
                    template=template,
                    **self._how(),
                ),
            )

    def _adapter(self, name: str, adapter: PeftAdapter) -> Iterator[LedgerStep]:
        base, whole = self.run.base, self.whole
        try:
            check_convertible(adapter, base)
        except NeedsMerging as reason:
            self.watcher(f"no GGUF adapter is made of {name}: {reason}", 0, 0)
            return
        target = self.file(name)
        yield LedgerStep(
            target.stem,
            (adapter.folder, base),
            (target,),
            lambda: convert_adapter(
                adapter.folder,
                base,
                target,
                About(f"{self.run.folder.root.resolve().name} {name}"),
                UNQUANTIZED,
                force=True,
                watcher=self.watcher,
            ),
            {},
        )
        yield self._verified(
            target,
            (base, whole, adapter.folder),
            lambda: verify_adapter(base, whole, adapter.folder, target, **self._how()),
        )

    def _verified(
        self, target: Path, sources: Sequence[Path], verify: Callable[[], Verified]
    ) -> LedgerStep:
        def do() -> None:
            found = verify()
            if not found.passed:
                failed = "; ".join(f"{c.name}: {c.said}" for c in found.failed)
                raise ConvertError(
                    f"{target} is not what it was made from ({failed}). It is kept to "
                    "be looked at, and nothing is made of it"
                )

        def holds(hashed: Hashed) -> bool:
            found = read_verified(target, hashed)
            return found is not None and found.passed

        return LedgerStep(
            f"verify {target.stem}", (*sources, target), (), do, {}, holds
        )

    def ollama(self) -> tuple[Path, OllamaSettings]:
        """The GGUF and settings for the Modelfile.

        Raises:
            ConvertError: its chat template has no exact Go form.
        """
        types = (*self.wishes.kinds, UNQUANTIZED)
        weights = self.file(f"tuned-{types[0].lower()}")
        wishes = OllamaWishes(system=self.wishes.system, stops=self.wishes.stops)
        return weights, settings_of(weights, wishes)

    def _modelfile(self) -> LedgerStep:
        weights, settings = self.ollama()
        target = self.run.folder.modelfile
        text = modelfile(
            ModelfileParts(
                heading="The tuned model: ollama create NAME -f Modelfile",
                weights=beside(weights, self.run.folder.root),
                adapter=None,
                settings=settings,
            )
        )
        return LedgerStep(
            MODELFILE,
            (weights,),
            (target,),
            lambda: write_whole(target, text, SHARED_FILE),
            {"text": sha256(text.encode()).hexdigest()},
        )

    def _how(self) -> dict[str, Any]:
        return {"threads": self.wishes.threads, "watcher": self.watcher}

"""A pair in memory: shared weights where possible, and a context for each pane."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from medassist.core.processor import physical_cores
from medassist.core.values import (
    DEFAULT_CONTEXT,
    EngineOptions,
    Message,
    PairFiles,
    PaneInfo,
    PaneName,
)
from medassist.engine.context import Context
from medassist.engine.extra_ends import ExtraEnds
from medassist.engine.prompt import Prompts, last_occurrence
from medassist.engine.template import ChatTemplate
from medassist.engine.weights import Adapter, Weights
from medassist.text.thought_marks import thinks

PROBE = (Message(role="user", content="?"),)


@dataclass(frozen=True)
class LoadedPane:
    """A loaded pane: its cache, prompt builder and model information."""

    name: PaneName
    context: Context
    prompts: Prompts
    info: PaneInfo
    ends: ExtraEnds
    """Ends of its answers, besides the tokens that its file names as ends."""


class LoadedPair:
    """The panes of a pair, loaded. `close` frees them.

    Args:
        files: the pair's files.
        options: how to load it.
        progress: is told the file and the fraction loaded; its `False` ends it.

    Raises:
        ModelFileError, LoadStopped, EngineError: as the parts do.
    """

    def __init__(
        self,
        files: PairFiles,
        options: EngineOptions,
        progress: Callable[[Path, float], bool],
    ) -> None:
        self.panes: dict[PaneName, LoadedPane] = {}
        self.notices: list[str] = []
        self._owned = ExitStack()
        self._weights: dict[Path, Weights] = {}
        try:
            weights = {
                name: self._load(files.files(name)[0], options, progress)
                for name in files.panes
            }
            self._one_weights = weights.get("base") is weights.get("tuned")
            adapter = None
            if files.adapter is not None:
                # Who hears of the end of this process has to know where it was.
                progress(files.adapter, 1.0)
                adapter = self._owned.enter_context(
                    Adapter(weights["tuned"], files.adapter)
                )
            for name in files.panes:
                progress(weights[name].path, 1.0)
                own = adapter if name == "tuned" else None
                # An adapter is nothing to a pane with other weights than its own.
                near = adapter if self._one_weights else own
                self.panes[name] = self._pane(name, weights[name], own, near, options)
        except BaseException:
            self.close()
            raise

    def _load(
        self,
        path: Path,
        options: EngineOptions,
        progress: Callable[[Path, float], bool],
    ) -> Weights:
        real = path.resolve()
        if real not in self._weights:
            self._weights[real] = self._owned.enter_context(
                Weights(path, options.gpu_layers, lambda done: progress(path, done))
            )
        return self._weights[real]

    def _pane(
        self,
        name: PaneName,
        weights: Weights,
        own: Adapter | None,
        adapter: Adapter | None,
        options: EngineOptions,
    ) -> LoadedPane:
        """The pane `name` with its `own` adapter, in a pair that has `adapter`."""
        flash = options.flash_attention
        if flash is None:
            flash = weights.on_gpu
        flash = flash or options.kv == "q8_0"
        size = self._context_size(name, weights, options.context)
        threads = options.threads or physical_cores()
        context = self._owned.enter_context(
            Context(
                weights,
                tokens=size,
                threads=threads,
                kv=options.kv,
                flash_attention=flash,
                adapter=own,
            )
        )
        activated = bool(own and own.invocation)
        shares = options.share_prefill and self._one_weights and activated
        if shares:
            context.expect_take_over()
        header = weights.header
        vocabulary = weights.vocabulary
        template = template_of(weights, own, adapter)
        prompts = Prompts(
            vocabulary,
            template,
            adapted=own is not None,
            # The base pane cuts its prompt where the tuned one switches its adapter
            # on, shared or not, so that its answers do not depend on sharing.
            invocation=adapter.invocation if adapter else (),
        )
        specials = (*vocabulary.control_texts, *vocabulary.added_texts)
        ends = ExtraEnds.of(
            template.answer_end(specials), vocabulary, template.further_stops
        )
        self._remark(name, weights, own, prompts, ends)
        info = PaneInfo(
            file=weights.path,
            adapter=own.path if own else None,
            name=header.name,
            architecture=header.architecture,
            quantization=header.quantization,
            parameters=header.parameters,
            context=min(size, context.size),
            trained_context=weights.trained_context,
            template="plain" if template.is_stand_in else "model",
            shares_prefill=shares,
            threads=threads,
            flash_attention=flash,
            kv=options.kv,
            thinks=thinks(template.source) or bool(vocabulary.thought_marks),
            thinking_switch=template.thinking_switch,
        )
        return LoadedPane(name, context, prompts, info, ends)

    def _context_size(
        self, name: PaneName, weights: Weights, wanted: int | None
    ) -> int:
        trained = weights.trained_context
        if wanted is None:
            return min(trained, DEFAULT_CONTEXT)
        if wanted > trained:
            self._notice(
                f"The {name} model was trained on {trained:,} tokens of context; "
                f"{trained:,} are used instead of {wanted:,}."
            )
        return min(trained, wanted)

    def _remark(
        self,
        name: PaneName,
        weights: Weights,
        adapter: Adapter | None,
        prompts: Prompts,
        ends: ExtraEnds,
    ) -> None:
        """Remark for the user on this pane's model."""
        if prompts.template.is_stand_in:
            self._notice(
                f"{weights.path.name} has no chat template. It is asked as "
                '"Question: ... Answer:", and may answer worse than it can.'
            )
        if "strftime_now" in prompts.template.source:
            self._notice(
                f"The chat template of {weights.path.name} writes today's date into "
                "the prompt, so the same question can be answered differently "
                "tomorrow."
            )
        if ends.stops and not prompts.template.is_plain:
            (end,) = ends.stops
            shown = " ".join(end.split()) or repr(end)
            why = (
                "a token that its file does not name as an end"
                if ends.tokens
                else "which is text and no token"
            )
            self._notice(
                f"{weights.path.name} ends its answers with '{shown}', {why}: they "
                "end there."
            )
        elif not weights.vocabulary.has_end:
            self._notice(
                f"{weights.path.name} has no end token: its answers end only at the "
                "length limit, or where you stop them."
            )
        if adapter and adapter.invocation:
            probe = prompts.tokens(PROBE)
            if last_occurrence(probe, adapter.invocation) is None:
                self._notice(
                    f"{adapter.path.name} is switched on by a text that the chat "
                    f"template of {weights.path.name} never writes, so the {name} "
                    "pane answers as the base model does."
                )

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def close(self) -> None:
        """Free contexts, adapters and weights, in that order."""
        self.panes = {}
        self._owned.close()

    def __enter__(self) -> LoadedPair:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def template_of(
    weights: Weights, own: Adapter | None, adapter: Adapter | None = None
) -> ChatTemplate:
    """The template of a pane with its `own` adapter, in a pair that has `adapter`.

    An adapter brings a template where it was taught in another than its base's. A base
    without one is asked in that, too, as it is when both are evaluated.
    """
    for one in (own, weights, adapter):
        if one is not None and one.header.chat_template:
            source, origin = one.header.chat_template, one.path
            break
    else:
        source, origin = None, weights.path
    vocabulary = weights.vocabulary
    # Where a file names no end token, llama.cpp takes a piece of text for it, which
    # the plain template would write.
    ends = bool(source) or vocabulary.has_end
    return ChatTemplate(
        source,
        str(origin),
        vocabulary.text(vocabulary.bos),
        vocabulary.text(vocabulary.eos) if ends else "",
        adds_bos=vocabulary.adds_bos,
    )

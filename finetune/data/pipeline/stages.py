"""The stages of a preparation, in their order.

read: the files of a rank; licence, cleaning, lengths, overlap; signatures.
candidates: bucket by bucket, which records may be duplicates (datatrove).
compare: which of them are.
split: without duplicates, into train, validation and test.
finish: the splits in one file each, and the manifest.
"""

from __future__ import annotations

from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline import (
    candidates,
    duplicate_groups,
    source_reader,
    split_writer,
)
from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.datatrove_documents import (
    Documents,
    PartReader,
    PartWriter,
    pipeline,
)
from finetune.data.pipeline.executors import Stage
from finetune.data.pipeline.final_files import finish
from finetune.data.pipeline.preparation_plan import PreparationPlan
from finetune.data.pipeline.sieve import CountsWriter, LicenceSieve, Sieve
from finetune.data.steps.bounds import LengthStep, MissingStep
from finetune.data.steps.identifiers import IdentifierStep
from finetune.data.steps.language import LanguageStep
from finetune.data.steps.licences import LicenceStep
from finetune.data.steps.overlap import OverlapStep
from finetune.data.steps.text_clean import CleanStep

FINISH = "finish"


def stages(plan: PreparationPlan) -> list[Stage]:
    """All stages that `plan` needs."""
    work, settings = plan.work, plan.settings
    counts = Counts()
    shortest = {
        opened.info.name: opened.info.text_shortest
        for opened in plan.sources
        if opened.info.text_shortest is not None
    }
    wanted = settings.languages
    language = [Sieve(work, LanguageStep(wanted), counts)] if wanted else []
    steps: list[PipelineStep] = [
        source_reader.SourceReader(work, plan.sources, counts),
        LicenceSieve(work, LicenceStep(settings.licences), counts),
        Sieve(work, CleanStep(), counts),
        *language,
        Sieve(work, MissingStep(), counts),
        Sieve(work, LengthStep(settings.lengths, shortest), counts),
    ]
    if settings.overlap.exams:
        steps.append(Sieve(work, OverlapStep(work.exams), counts))
    steps.append(PartWriter(work))
    near, exact = settings.duplicates.near, settings.duplicates.exact
    if near or exact:
        steps.append(candidates.Sign(work, near=near))
    steps.append(CountsWriter(work, source_reader.STAGE, counts))
    planned = [Stage(source_reader.STAGE, steps, plan.tasks)]
    if near or exact:
        found = candidates.Candidates(work, near=near)
        buckets = candidates.config(near=near).num_buckets
        planned.append(Stage(candidates.STAGE, [found], buckets))
        judge = duplicate_groups.Judge(work, settings.duplicates)
        planned.append(
            Stage(duplicate_groups.STAGE, [judge], min(plan.tasks, plan.workers))
        )
    after = Counts()
    planned.append(
        Stage(
            split_writer.STAGE,
            [
                PartReader(work, split_writer.STAGE),
                duplicate_groups.RemoveDuplicates(work, after),
                Sieve(work, IdentifierStep(settings.identifiers), after),
                split_writer.SplitWriter(work, settings.split, settings.seed, after),
                CountsWriter(work, split_writer.STAGE, after),
            ],
            plan.tasks,
        )
    )
    planned.append(Stage(FINISH, [_Finish(plan)], 1))
    return planned


class _Finish(PipelineStep):
    type = "medassist"
    name = "finish"

    def __init__(self, plan: PreparationPlan) -> None:
        super().__init__()
        self._plan = plan

    def run(
        self, data: Documents = None, rank: int = 0, world_size: int = 1
    ) -> Documents:
        finish(self._plan)
        return pipeline(())

"""The same extraction as a stage of NeMo Curator, for `benchmarks.extraction`: `pip install --no-deps nemo-curator`.

Curator wants more packages than that (cosmos-xenna 0.2.0, loguru, cattrs, pulp, obstore, portpicker, lmdb,
comment_parser); its declared dependencies would bring another torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from nemo_curator.backends.ray_data import RayDataExecutor
from nemo_curator.pipeline import Pipeline
from nemo_curator.stages.base import ProcessingStage
from nemo_curator.stages.resources import Resources
from nemo_curator.tasks import Task

from pipeline.core.config import Params
from pipeline.storage import open_storage
from stages.extract.compute import make_extractor
from stages.extract.plan import Clip


@dataclass
class ClipTask(Task[Clip]):
    """One clip."""

    @property
    def num_items(self) -> int:
        return 1

    def validate(self) -> bool:
        return True


class ExtractStage(ProcessingStage[ClipTask, ClipTask]):
    """Clip -> stored units; models are loaded once a worker."""

    name, resources, batch_size = "extract", Resources(cpus=1.0), 1

    def __init__(self, params: Params, folder: str):
        self.params, self.folder = params, folder

    def num_workers(self) -> int:
        return 2

    def setup(self, worker_metadata=None) -> None:
        self.extractor = make_extractor(self.params, open_storage(self.folder))

    def process(self, task: ClipTask) -> ClipTask:
        clip = task.data
        self.extractor.extract(clip.path, clip.row["frames"], list(clip.keys.values()))
        return task


def run(clips: list[Clip], params: Params, folder: str) -> None:
    """All of `clips` through Curator's Ray Data executor, two workers; it ends Ray when it is done."""
    pipeline = Pipeline("extract", stages=[ExtractStage(params, folder)])
    done = pipeline.run(RayDataExecutor(), [ClipTask("clips", clip) for clip in clips])
    assert len(done) == len(clips)

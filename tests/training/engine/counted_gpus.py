"""`python -m tests.training.engine.counted_gpus AUDIO TUNING`: both trainings on a Ray that counts two GPUs.

AUDIO and TUNING are toy project folders, in which the stages train_audio and face_space run.
"""

from __future__ import annotations

import os
import sys

from pipeline.compute.ray_session import ray_session
from pipeline.core.config import Ray
from stages import train_audio
from stages.face_space import stage as face_space


def main(audio: str, tuning: str) -> None:
    """Ray is started as a cluster's nodes would be, with resources that are numbers; the stages find it."""
    import ray

    ray.init(num_cpus=2, num_gpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False)
    with ray_session(Ray(address="auto", num_cpus=None, object_store_gb=0.1, spill_folder=None, dashboard=False,
                         max_wait_s=60.0)):
        for folder, run in ((audio, train_audio.main), (tuning, face_space.main)):
            os.chdir(folder)
            run()
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

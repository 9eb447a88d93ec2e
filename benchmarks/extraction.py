"""Extraction against the bare forward passes of its models: `python -m benchmarks.extraction [CORPUS ...] [--peers]`.

Run it in a project folder whose crops and face space are made. `bare` calls the models on frames and speech that are
decoded already; `extraction` is a clip's whole way: read, decode, models, encode, store. Processor time of one process.
`--peers` adds the same work on the clock by a plain loop, joblib, Ray Data alone, NeMo Curator (where it is
installed: benchmarks/curator_peer.py) and our own Ray graph with one and with two actors. Only worth looking at
on a quiet machine. `whole` counts all seconds but Ray's own start; `working` those after the first clip was stored.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from models.speech.level import bring_to_level
from pipeline.core.config import Params, load_params
from pipeline.media.crops import read_crop, read_wav
from pipeline.storage import open_storage
from stages.extract.clip import ClipExtractor
from stages.extract.compute import compute, make_extractor
from stages.extract.plan import Clip, fingerprints, kept_clips

FAMILIES = ["motion", "speech"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("corpora", nargs="*", default=["hdtf"])
    arguments.add_argument("--clips", type=int, default=6, help="of those, for the comparison with the bare models")
    arguments.add_argument("--peers", action="store_true")
    chosen = arguments.parse_args()
    params = load_params()
    prints = fingerprints(params)
    clips = [clip for corpus in chosen.corpora for clip in kept_clips(corpus, prints)]
    print(f"load average {os.getloadavg()[0]:.1f}")
    against_bare(clips[:chosen.clips], params)
    if chosen.peers:
        peers(clips, params)


def against_bare(clips: list[Clip], params: Params, repeats: int = 7) -> None:
    """Both ways by turns, in alternating order: median and range of the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        extractor = make_extractor(params, open_storage(folder))
        decoded = [(read_crop(clip.path), read_wav(clip.path.with_suffix(".wav"))) for clip in clips]
        extractor.space.extract(decoded[0][0][:5])  # what is made at the first call
        ways = {"bare": lambda: _bare(extractor, decoded), "extraction": lambda: _loop(extractor, clips)}
        took: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(repeats):
            extractor.storage = open_storage(Path(folder) / str(turn))
            for name in sorted(ways, reverse=bool(turn % 2)):
                took[name].append(_cpu(ways[name]))
    frames = sum(clip.row["frames"] for clip in clips)
    for name, seconds in took.items():
        print(f"{name:12} {frames / median(seconds):7.1f} frames per processor second")
    ratios = [bare / whole for bare, whole in zip(took["bare"], took["extraction"], strict=True)]
    print(f"extraction runs at {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) of the speed of its bare "
          f"forward passes ({len(clips)} clips, {frames} frames, {repeats} turns)", flush=True)


def _bare(extractor: ClipExtractor, decoded: list[tuple]) -> None:
    for pictures, speech in decoded:
        extractor.space.extract(pictures)
        extractor.encoder.encode(bring_to_level(speech), len(pictures))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _loop(extractor: ClipExtractor, clips: Iterable[Clip]) -> None:
    for clip in clips:
        extractor.extract(clip.path, clip.row["frames"], list(clip.keys.values()))


def _one(params: Params, folder: str, clips: list[Clip]) -> int:
    _loop(make_extractor(params, open_storage(folder)), clips)
    return len(clips)


def peers(clips: list[Clip], params: Params) -> None:
    """Everything on the clock, models loaded in it; Ray's start apart. Every one stores the same units."""
    from pipeline.compute.ray_session import quiet_datasets, ray_session

    with tempfile.TemporaryDirectory() as root:
        measured = Measured(Path(root), clips)
        measured.run("plain loop", lambda folder: _one(params, folder, clips))
        measured.run("joblib, 2 processes", lambda folder: _joblib(params, folder, clips))
        with ray_session(params.ray):
            data = quiet_datasets()
            measured.run("Ray Data alone, 2 tasks", lambda folder: data.range(2, override_num_blocks=2).map(
                lambda row: {"done": _one(params, folder, clips[row["id"]::2])}).materialize())
            for actors in (1, 2):
                section = params.extract.model_copy(update={"actors": actors, "batch_clips": 1})
                ours = params.model_copy(update={"extract": section})
                measured.run(f"ours, {actors} actors", lambda folder, ours=ours: list(compute(
                    ((clip, FAMILIES) for clip in clips), ours, folder)))
        if importlib.util.find_spec("nemo_curator"):
            from benchmarks import curator_peer

            with ray_session(params.ray):
                measured.run("NeMo Curator, 2 workers", lambda folder: curator_peer.run(clips, params, folder))
        else:
            print("NeMo Curator is not installed: benchmarks/curator_peer.py says how")
    working = measured.working
    print(f"two actors do {working['ours, 2 actors'] / working['ours, 1 actors']:.2f} times the work of one a second")


def _joblib(params: Params, folder: str, clips: list[Clip]) -> None:
    import joblib

    joblib.Parallel(2)(joblib.delayed(_one)(params, folder, clips[half::2]) for half in range(2))


class Measured:
    """Frames a second of each way: over all its time, and from the first stored clip to the last."""

    def __init__(self, root: Path, clips: list[Clip]):
        self.root, self.frames = root, {clip.clip_id: clip.row["frames"] for clip in clips}
        self.working: dict[str, float] = {}

    def run(self, name: str, work: Callable[[str], object]) -> None:
        folder = self.root / name.replace(" ", "-").replace(",", "")
        began = time.time()
        work(str(folder))
        took = time.time() - began
        stored = sorted((path.stat().st_mtime, path.name[:path.name.rindex("-")])
                        for path in (folder / "speech").rglob("*.parquet"))  # a clip's last unit
        assert len(stored) == len(self.frames), f"{name} stored {len(stored)} clips"
        after_first = sum(self.frames[clip_id] for _, clip_id in stored[1:])
        self.working[name] = after_first / (stored[-1][0] - stored[0][0])
        print(f"{name:26} whole {sum(self.frames.values()) / took:6.1f} frames/s, working {self.working[name]:6.1f}, "
              f"first clip after {stored[0][0] - began:5.1f} s", flush=True)


if __name__ == "__main__":
    main()

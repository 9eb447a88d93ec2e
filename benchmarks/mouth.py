"""Does the generated mouth follow the speech of extracted clips? `python -m benchmarks.mouth --model BUNDLE`.

In a project folder whose features are extracted (landmark face space): `evaluation/jobs/mouth.py` says how.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from evaluation.jobs.mouth import follow
from feature_store.reader import open_store
from models.motion.clock import FPS
from pipeline.components.bundle import load_bundle
from pipeline.core.config import load_params


def main() -> None:
    """Print a line a clip and the means."""
    params = load_params()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="a bundle folder")
    parser.add_argument("--corpora", nargs="+", default=params.used_for("test"))
    parser.add_argument("--identities", nargs="+", help="these people alone, as in split.test_identities")
    parser.add_argument("--samples", type=int, default=params.evaluate.samples)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each clip, at most")
    parser.add_argument("--audio-scale", type=float, default=params.sample.audio_scale)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store, generator = open_store(given.corpora), load_bundle(given.model).generator()
    clips = [store.load(row.clip_id) for row in store.clips()
             if given.identities is None or row.identity in given.identities]
    if len(clips) < 2:
        raise SystemExit(f"{len(clips)} clip of {', '.join(given.corpora)}: another clip's speech is needed, too")
    rows = []
    for row in follow(generator, clips, given.samples, params.evaluate.max_lag_frames, round(given.seconds * FPS),
                      audio_scale=given.audio_scale):
        rows.append(row)
        print(f"{row.identity:28} {row.frames / FPS:5.1f} s  r {row.r:6.3f} at lag {', '.join(map(str, row.lags))}; "
              f"wrong speech {row.r_wrong_speech:6.3f}")
    r, wrong = np.mean([(row.r, row.r_wrong_speech) for row in rows], axis=0)
    print(f"{len(rows)} clips: r {r:.3f}, wrong speech {wrong:.3f}")


if __name__ == "__main__":
    main()

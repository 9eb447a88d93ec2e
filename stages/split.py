"""Identity-disjoint train / validation / test: `python -m stages.split` -> `data/split/split.parquet`, `split.json`.

Clips that share a person, or a YouTube video across corpora, form one group, and a group lies in one split. The
corpora's own official splits stay in the clip tables as a record; not all of them are identity-disjoint.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Split, load_params
from pipeline.core.split_table import TEST, TRAIN, VALIDATION, write_split
from pipeline.core.stage import run_as_stage

MIN_GROUPS_FOR_VALIDATION = 3


def main() -> None:
    """Split the kept clips of all corpora by `params.yaml`."""
    params = load_params()
    clips = [row for corpus in params.corpora
             for row in read_clip_table(paths.CROPS / corpus / "clips.parquet", status=KEPT)]
    rows = assign(clips, params.split, params.seed)
    write_split(paths.SPLIT, rows)
    counts = count(rows)
    write_json(paths.SPLIT / "split.json", counts)
    print("split: " + ", ".join(f"{name} {counts[name]['clips']} clips of {counts[name]['identities']} identities"
                                for name in (TRAIN, VALIDATION, TEST)), flush=True)


def assign(clips: list[dict], params: Split, seed: int) -> list[dict]:
    """Rows clip_id, corpus, identity, split for kept clips; raises ValueError where nothing is left to train on.

    A group with a clip of a test corpus or a test identity is tested; of the others a share chosen by hash, at least
    one where there are three, validates. Adding an identity never moves another one between train and validation,
    except when the first validation group is replaced.
    """
    known = {clip["identity"] for clip in clips}
    unknown = sorted(set(params.test_identities) - known)
    if unknown:
        raise ValueError(f"split.test_identities names {', '.join(unknown)}, but no kept clip has that identity; "
                         f"identities begin with: {', '.join(sorted(known)[:5])}")
    groups = group(clips)
    tested = {groups[clip["identity"]] for clip in clips
              if clip["corpus"] in params.test_corpora or clip["identity"] in params.test_identities}
    rest = sorted(set(groups.values()) - tested, key=lambda name: (_share(name, seed), name))
    validating = {name for name in rest if _share(name, seed) < params.validation_share}
    if params.validation_share > 0 and not validating and len(rest) >= MIN_GROUPS_FOR_VALIDATION:
        validating = {rest[0]}
    if len(rest) == len(validating):
        raise ValueError(f"no training clip is left: {len(clips)} clips were kept, of {len(set(groups.values()))} "
                         f"people, {len(tested)} of them for testing and {len(validating)} for validation. Look at "
                         f"the rejects in {paths.CROPS}/*/clips.parquet, or change split.test_corpora, "
                         "split.test_identities, split.validation_share")
    return [{"clip_id": clip["clip_id"], "corpus": clip["corpus"], "identity": clip["identity"],
             "split": _split_of(groups[clip["identity"]], tested, validating)}
            for clip in sorted(clips, key=lambda clip: clip["clip_id"])]


def _split_of(name: str, tested: set[str], validating: set[str]) -> str:
    return TEST if name in tested else VALIDATION if name in validating else TRAIN


def _share(name: str, seed: int) -> float:
    """A number in [0, 1) from a name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64


def group(clips: list[dict]) -> dict[str, str]:
    """Identity -> name of its group: the first of all identities that share a YouTube video, directly or by others."""
    parent = {clip["identity"]: clip["identity"] for clip in clips}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    of_video: dict[str, str] = {}
    for clip in clips:
        video = clip.get("youtube_id")
        if video:
            first, other = sorted((root(of_video.setdefault(video, clip["identity"])), root(clip["identity"])))
            parent[other] = first
    return {identity: root(identity) for identity in parent}


def count(rows: list[dict]) -> dict:
    """Clips and identities of every split, and clips per corpus."""
    corpora: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        corpora[row["split"]][row["corpus"]] += 1
    return {name: {"clips": sum(corpora[name].values()), "corpora": dict(sorted(corpora[name].items())),
                   "identities": len({row["identity"] for row in rows if row["split"] == name})}
            for name in (TRAIN, VALIDATION, TEST)}


if __name__ == "__main__":
    run_as_stage(main)

"""Identity-disjoint train / validation / test: `python -m stages.split` -> `data/split/split.parquet`, `split.json`.

Clips that share a person, or a YouTube video across corpora, form one group (`people.py`), and a group lies in one
split. Whatever comes later, a clip stays where it lies (data/split is its own memory: DVC leaves it in place); only
other parameters draw anew. Where params.yaml names nothing for tests, groups are set aside: those that the corpora's
own lists call `test` whole, else a share; there each clip of a single person is a group. Elsewhere official splits stay
a record in the clip tables: not all of them are identity-disjoint.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.components.people import Joined, group, who_is_who
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params, load_params
from pipeline.core.data_params import Split
from pipeline.core.fingerprint import digest
from pipeline.core.split_table import TEST, TRAIN, VALIDATION, sides, write_split
from pipeline.core.stage import run_as_stage

MIN_GROUPS_FOR_VALIDATION = 3
SHOWN = 5   # names of what was set aside


def main() -> None:
    """Split the kept clips of all corpora by `params.yaml`."""
    params = load_params()
    clips = [row for corpus in params.corpora
             for row in read_clip_table(paths.CROPS / corpus / "clips.parquet", status=KEPT)]
    found = divide(clips, params)
    write_split(paths.SPLIT, found.rows, found.asked)
    counts = count(found.rows)
    write_json(paths.SPLIT / "split.json", {**counts, "joined": found.joined and vars(found.joined),
                                            "on_two_sides": found.on_two_sides, "said": found.sentences()})
    for said in found.sentences():
        print(f"split: {said}", flush=True)
    print("split: " + ", ".join(f"{name} {counts[name]['clips']} clips of {counts[name]['identities']} identities"
                                for name in (TRAIN, VALIDATION, TEST)), flush=True)


@dataclass(frozen=True)
class Division:
    """Rows clip_id, corpus, identity, split; in words what was set aside for tests; what faces said of who is who; how
    many people lie on two sides, for a clip that joins them came later; digest of what was asked for."""

    rows: list[dict]
    aside: str
    joined: Joined | None
    on_two_sides: int
    asked: str

    def sentences(self) -> list[str]:
        late = f"{self.on_two_sides} people lie on two sides: a clip that came later says that they are one. Remove " \
               f"{paths.SPLIT / 'split.parquet'} to draw anew" if self.on_two_sides else ""
        return [said for said in (self.aside, self.joined and str(self.joined), late) if said]


def divide(clips: list[dict], params: Params, folder: Path = paths.SPLIT) -> Division:
    """The split of the kept clips of all corpora, with the sides of the one in `folder`. Raises ValueError."""
    named = {name for name, corpus in params.corpora.items() if corpus.names_people}
    people, joined = who_is_who(clips, named, params.split.same_person)
    tests = params.used_for("test")
    asked = digest(params.split.model_dump(), sorted(tests), params.seed)
    rows, aside, groups = assign(clips, params.split, tests, params.seed, people)
    if set(groups) == set(groups.values()):   # one person, or a clip each: nothing to keep together
        return Division(rows, aside, joined, 0, "")
    rows = keep_sides(rows, groups, sides(folder, asked),
                      lambda row: row["corpus"] in tests or row["identity"] in params.split.test_identities)
    lie = {(groups[row["clip_id"]], row["split"]) for row in rows}
    return Division(rows, aside, joined, len(lie) - len({name for name, _ in lie}), asked)


def keep_sides(rows: list[dict], groups: dict[str, str], before: dict[str, str],
               is_test: Callable[[dict], bool]) -> list[dict]:
    """`rows` with the sides of `before` (clip_id -> split): a clip stays, a new one comes to its group, to a test where
    that lies on several sides; one that is for tests (`is_test`) is tested."""
    taken: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["clip_id"] in before:
            taken[groups[row["clip_id"]]].add(before[row["clip_id"]])

    def side(row: dict) -> str:
        if row["clip_id"] in before or is_test(row):
            return before.get(row["clip_id"], TEST)
        found = taken[groups[row["clip_id"]]]
        return next((name for name in (TEST, VALIDATION, TRAIN) if name in found), row["split"])

    return [row | {"split": side(row)} for row in rows]


def assign(clips: list[dict], params: Split, test_corpora: list[str], seed: int,
           people: dict[str, str] | None = None) -> tuple[list[dict], str, dict[str, str]]:
    """Rows clip_id, corpus, identity, split for kept clips; in words what was set aside for tests, if anything was;
    clip_id -> its group. `people`: identity -> group (`pipeline.components.people`), else by videos alone.

    A group with a clip of a test corpus or a test identity is tested; of the others a share chosen by hash, at least
    one where there are three, validates. Adding an identity never moves another one between train and validation,
    except when the first validation group is replaced. Raises ValueError where nothing is left to train on.
    """
    known = {clip["identity"] for clip in clips}
    unknown = sorted(set(params.test_identities) - known)
    if unknown:
        raise ValueError(f"split.test_identities names {', '.join(unknown)}, but no kept clip has that identity; "
                         f"identities begin with: {', '.join(sorted(known)[:5])}")
    people, aside = people or group(clips), ""
    groups = {clip["clip_id"]: people[clip["identity"]] for clip in clips}
    if test_corpora or params.test_identities:
        tested = {groups[clip["clip_id"]] for clip in clips
                  if clip["corpus"] in test_corpora or clip["identity"] in params.test_identities}
    else:
        groups = groups if len(set(groups.values())) > 1 else {name: name for name in groups}
        tested, aside = set_aside(clips, groups, params.test_share, seed)
    names = set(groups.values())
    rest = sorted(names - tested, key=lambda name: (_share(name, seed), name))
    validating = {name for name in rest if _share(name, seed) < params.validation_share}
    if params.validation_share > 0 and not validating and len(rest) >= MIN_GROUPS_FOR_VALIDATION:
        validating = {rest[0]}
    if len(rest) == len(validating):
        raise ValueError(f"no training clip is left: {len(clips)} clips were kept, of {len(known)} people; of "
                         f"{len(names)} groups {len(tested)} are for testing and {len(validating)} for validation. "
                         f"Look at the rejects in {paths.CROPS}/*/clips.parquet, or change the `use` of a corpus, "
                         "split.test_identities, split.validation_share")
    return [{"clip_id": clip["clip_id"], "corpus": clip["corpus"], "identity": clip["identity"],
             "split": _split_of(groups[clip["clip_id"]], tested, validating)}
            for clip in sorted(clips, key=lambda clip: clip["clip_id"])], aside, groups


def set_aside(clips: list[dict], groups: dict[str, str], share: float, seed: int) -> tuple[set[str], str]:
    """Groups for tests where nothing is named for them, and a sentence that says so."""
    names = sorted(set(groups.values()), key=lambda name: (_share(f"test/{name}", seed), name))
    kind = "clips of the one person" if set(groups) == set(names) else "people"
    said = f"no corpus is for tests and split.test_identities is empty: of {len(names)} {kind}, "
    trained = {groups[clip["clip_id"]] for clip in clips if clip.get("official_split") != TEST}
    listed = {name for name in names if name not in trained}
    if listed and trained:
        return listed, f"{said}the {len(listed)} that the corpora's own lists call test are set aside"
    chosen = {name for name in names if _share(f"test/{name}", seed) < share} or set(names[:1])
    chosen = chosen if len(chosen) < len(names) else set(names[:1])
    shown = ", ".join(sorted(chosen)[:SHOWN]) + (", ..." if len(chosen) > SHOWN else "")
    return chosen, f"{said}{len(chosen)} set aside (split.test_share {share:g}): {shown}"


def _split_of(name: str, tested: set[str], validating: set[str]) -> str:
    return TEST if name in tested else VALIDATION if name in validating else TRAIN


def _share(name: str, seed: int) -> float:
    """A number in [0, 1) from a name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") / 2**64


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

"""Which voice speaks a clip, and its sentences: Kokoro's voices, or eSpeak NG's for quick tests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.core.atomic import atomic_path
from pipeline.core.fingerprint import code_of, digest
from pipeline.weights.table import weight_sha256
from stages.corpora import kokoro
from stages.corpora.kokoro import KokoroVoice, speak_kokoro
from stages.corpora.speech import Phoneme, Speech, Voice, speak

Speaker = Literal["kokoro", "espeak"]
HELD_OUT_VOICES = ("af_heart", "bf_emma")  # of the held-out person alone
SPEED = (0.85, 1.4)
BLEND_SHARE, BLEND = 0.5, (0.3, 0.7)       # of clips; the first voice's share


def draw_voice(woman: bool, held_out: bool, rng: np.random.Generator) -> KokoroVoice:
    """A voice for one clip: many voices teach the model more than the same few would."""
    known: tuple[str, ...] = HELD_OUT_VOICES if held_out else kokoro.WOMEN if woman else kokoro.MEN
    names = [name for name in known if held_out or name not in HELD_OUT_VOICES]
    first = names[int(rng.integers(len(names)))]
    alike = [name for name in names if name[0] == first[0]]
    blended = rng.random() < BLEND_SHARE
    second = alike[int(rng.integers(len(alike)))] if blended else first
    share = round(float(rng.uniform(*BLEND)), 3) if blended else 1.0
    return KokoroVoice(first, second, share, round(float(rng.uniform(*SPEED)), 3))


def say(text: str, voice: Voice | KokoroVoice, seed: int, cache: Path | None = None) -> Speech:
    """Speak `text`; Kokoro's speech is kept in the folder `cache`, by everything that makes it what it is."""
    if isinstance(voice, Voice):
        return speak(text, voice, seed)
    if cache is None:
        return speak_kokoro(text, voice)
    kept = cache / f"{digest(text, asdict(voice), *(weight_sha256(name) for name in kokoro.WEIGHTS), _code())}.npz"
    if not kept.exists():
        _write(kept, speak_kokoro(text, voice))
    return _read(kept)


def _code() -> str:
    return code_of("stages.corpora.kokoro")


def _write(path: Path, speech: Speech) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, waveform=speech.waveform, rate_hz=speech.rate_hz,
                 phonemes=json.dumps([asdict(one) for one in speech.phonemes]))


def _read(path: Path) -> Speech:
    with np.load(path) as kept:
        phonemes = tuple(Phoneme(**one) for one in json.loads(str(kept["phonemes"])))
        return Speech(kept["waveform"], int(kept["rate_hz"]), phonemes)

"""Which clips are made: who says what, with which emotion, in which corpus, at which rate and size.

A `ClipPlan` determines its clip completely; its key is the hash of its content, so that a finished clip is found
again by what it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from pipeline.core.fingerprint import digest
from stages.corpora.expression import EMOTIONS
from stages.corpora.identities import Identity
from stages.corpora.kokoro import KokoroVoice
from stages.corpora.sentences import corpus_sentence, held_out_sentence
from stages.corpora.speech import Voice
from stages.corpora.voices import Speaker, draw_voice

Sound = Literal["muxed", "separate", "none"]
FILM, PAL, NTSC, THIRTY = "24/1", "25/1", "30000/1001", "30/1"
MEAD_ACTORS, LEVEL_STRENGTH = 4, {1: 0.6, 2: 0.9, 3: 1.15}
AUDIO_CORPORA = ("avspeech", "celebv_text", "acappella")
# per corpus: frame rates, picture sizes (width, height), audio rates, in turn
_FORMS = {
    "avspeech": ((PAL, NTSC, THIRTY, FILM), ((480, 360), (640, 360), (400, 400)), (44100, 48000)),
    "celebv_text": ((PAL, THIRTY, NTSC), ((512, 512), (448, 448)), (44100,)),
    "acappella": ((PAL, THIRTY), ((480, 360), (360, 360)), (48000, 44100)),
    "mead": ((THIRTY,), ((640, 360),), (48000,)),
    "mafw": ((PAL, FILM, NTSC), ((480, 360), (420, 340), (360, 400)), (44100, 22050)),
    "hdtf": ((PAL, NTSC), ((512, 512),), (44100,)),
}


@dataclass(frozen=True)
class ClipPlan:
    """One clip. `sound` is muxed, a separate m4a, or absent; `max_duration_s` cuts it short (a defect)."""

    corpus: str
    number: int  # within its corpus
    identity: Identity
    texts: tuple[str, ...]  # sentences, with a pause between them
    voice: Voice | KokoroVoice
    emotion: str
    level: int  # 1 to 3
    fps: str  # a fraction, frames a second
    width_px: int
    height_px: int
    audio_hz: int
    sound: Sound
    max_duration_s: float | None
    render_px: int
    seed: int

    @property
    def key(self) -> str:
        return f"{self.corpus}-{self.number:03d}-{digest(asdict(self))[:16]}"

    @property
    def rate(self) -> Fraction:
        return Fraction(self.fps)

    @property
    def strength(self) -> float:
        return 0.0 if self.emotion == "neutral" else LEVEL_STRENGTH[self.level]


def make_plans(identities: list[Identity], sentences: int, talking: int, render_px: int, seed: int,
               speaker: Speaker) -> list[ClipPlan]:
    """Clips of `sentences` spoken sentences over the six corpora and of `talking` further ones over the audio corpora,
    and the few short or silent ones that are defects."""
    make = _Maker(render_px, seed, speaker)
    known, held_out = identities[:-1], identities[-1]
    hdtf = max(1, sentences // 9)
    mafw = max(1, sentences // 7)
    mead = 2 * mafw
    plans = make.talking(known, sentences - hdtf - mafw - mead + talking)
    plans += [make.mead(known, number) for number in range(mead)]
    plans += [make.mafw(known, number) for number in range(mafw)]
    plans += [make.hdtf(held_out, number, "muxed") for number in range(hdtf)]
    return plans + make.defects(plans, known, held_out)


class _Maker:
    """Hands out sentences and numbers in order."""

    def __init__(self, render_px: int, seed: int, speaker: Speaker):
        self.render_px, self.seed, self.speaker, self.spoken, self.made = render_px, seed, speaker, 0, 0

    def plan(self, corpus: str, number: int, identity: Identity, *texts: str, emotion: str = "neutral", level: int = 1,
             sound: Sound = "muxed", max_duration_s: float | None = None) -> ClipPlan:
        rates, sizes, audio = _FORMS[corpus]
        width, height = sizes[number % len(sizes)]
        return ClipPlan(corpus=corpus, number=number, identity=identity, texts=texts,
                        voice=self.voice(corpus, identity), fps=rates[number % len(rates)], width_px=width,
                        height_px=height, audio_hz=audio[number % len(audio)], render_px=self.render_px,
                        seed=self.seed, emotion=emotion, level=level, sound=sound,
                        max_duration_s=max_duration_s)

    def next_text(self) -> str:
        self.spoken += 1
        return corpus_sentence(self.spoken - 1)

    def voice(self, corpus: str, identity: Identity) -> Voice | KokoroVoice:
        """A person's own of eSpeak NG's; of Kokoro's another one for every clip."""
        self.made += 1
        if self.speaker == "espeak":
            return identity.voice
        return draw_voice(identity.woman, corpus == "hdtf", np.random.default_rng([self.seed, 5, self.made]))

    def talking(self, known: list[Identity], sentences: int) -> list[ClipPlan]:
        """The audio corpora in turn, most clips of two sentences with a pause between them; two clips in seven show an
        emotion, as the real corpora do: what stage 1 never saw, stage 2 cannot put on a face."""
        plans, index, until = [], 0, self.spoken + sentences
        while self.spoken < until:
            corpus, number = AUDIO_CORPORA[index % 3], index // 3
            mood = list(EMOTIONS)[1 + (index // 7 + index % 7 // 3 * 3) % 7] if index % 7 in (3, 6) else "neutral"
            sound: Sound = "separate" if corpus == "celebv_text" else "muxed"
            count = 1 if index < len(AUDIO_CORPORA) or index % 4 == 3 else min(2, until - self.spoken)
            texts = [self.next_text() for _ in range(count)]
            plans.append(self.plan(corpus, number, known[index % len(known)], *texts, emotion=mood,
                                   level=1 if mood == "neutral" else 2, sound=sound))
            index += 1
        return plans

    def mead(self, known: list[Identity], number: int) -> ClipPlan:
        """Every actor shows every second emotion, so that two actors share each, then the others: were it always the
        same ones, a model could tell the emotion from the face. Levels in turn."""
        actors = known[:MEAD_ACTORS]
        place, turn = number % len(actors), number // len(actors)
        emotion = list(EMOTIONS)[(2 * turn + place % 2 + turn // (len(EMOTIONS) // 2)) % len(EMOTIONS)]
        level = 1 if emotion == "neutral" else 3 - (turn + place) % 3 % 2
        return self.plan("mead", number, actors[place], self.next_text(), emotion=emotion, level=level,
                         sound="separate")

    def mafw(self, known: list[Identity], number: int) -> ClipPlan:
        identity = known[(MEAD_ACTORS + number) % len(known)]
        return self.plan("mafw", number, identity, self.next_text(), emotion=list(EMOTIONS)[number % len(EMOTIONS)],
                         level=3)

    def hdtf(self, held_out: Identity, number: int, sound: Sound) -> ClipPlan:
        return self.plan("hdtf", number, held_out, held_out_sentence(number), sound=sound)

    def defects(self, plans: list[ClipPlan], known: list[Identity], held_out: Identity) -> list[ClipPlan]:
        """An AVSpeech clip of 2 s, a CelebV-Text clip without sound, a MAFW clip of 2.2 s, a silent HDTF clip."""
        count = {corpus: sum(plan.corpus == corpus for plan in plans) for corpus in _FORMS}
        return [
            self.plan("avspeech", count["avspeech"], known[0], self.next_text(), max_duration_s=2.0),
            self.plan("celebv_text", count["celebv_text"], known[-1], self.next_text(), sound="none",
                      max_duration_s=3.2),
            self.plan("mafw", count["mafw"], known[1 % len(known)], self.next_text(), emotion="happy", level=3,
                      max_duration_s=2.2),
            self.hdtf(held_out, count["hdtf"], "none"),
        ]

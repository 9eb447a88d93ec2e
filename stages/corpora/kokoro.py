"""Natural speech with timed phonemes: Kokoro-82M, run by ONNX Runtime, with the durations that it predicts as a second
output. Same text and voice, same samples. 0.7 s of one core for each second of speech, 300 MB.

Model: inputs `tokens` [1, n + 2] with a 0 on either side, `style` [1, 256] (a voice has one for each length of text)
and `speed` [1]; outputs `audio` at 24 kHz and, added here, the length of every token in units of 25 ms.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from models.formats.onnx import one_thread
from pipeline.weights.table import weight_path
from stages.corpora.kokoro_phonemes import VOCABULARY, Accent, kokoro_symbols, timed_phonemes
from stages.corpora.speech import Speech, SpeechError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE_HZ, UNIT_SAMPLES = 24000, 600
MAX_SYMBOLS = 510  # a voice has styles for so many
LATE_S = 0.045  # this export says its phonemes so much later than they sound (58 ms against forced alignment)
_DURATIONS = "/encoder/Clip_output_0"
WEIGHTS = ("kokoro_1", "kokoro_2", "kokoro_3", "kokoro_4", "kokoro_voices")

WOMEN = ("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river",
         "af_sarah", "af_sky", "bf_alice", "bf_emma", "bf_isabella", "bf_lily")
MEN = ("am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx", "am_puck", "am_santa",
       "bm_daniel", "bm_fable", "bm_george", "bm_lewis")


@dataclass(frozen=True)
class KokoroVoice:
    """One voice, or two of one accent blended with `share` of the first; speed 1 is the model's own pace."""

    first: str
    second: str
    share: float
    speed: float

    @property
    def accent(self) -> Accent:
        return "british" if self.first.startswith("b") else "american"


def speak_kokoro(text: str, voice: KokoroVoice) -> Speech:
    """Speak `text`; raises SpeechError for an unknown voice or a text that is empty or too long, and WeightsError."""
    symbols = kokoro_symbols(text, voice.accent)
    if not 0 < len(symbols) <= MAX_SYMBOLS:
        raise SpeechError(f"{len(symbols)} phonemes in {text!r}: Kokoro speaks 1 to {MAX_SYMBOLS} at once")
    tokens = np.array([[0, *(VOCABULARY[symbol] for symbol in symbols), 0]], np.int64)
    audio, units = _session().run(["audio", _DURATIONS], {
        "tokens": tokens, "style": _style(voice, len(symbols)), "speed": np.array([voice.speed], np.float32)})
    waveform, ends = np.asarray(audio, np.float32).ravel(), np.cumsum(np.asarray(units).ravel()) * UNIT_SAMPLES
    if len(ends) != tokens.size or ends[-1] != len(waveform):
        raise SpeechError(f"Kokoro's durations add up to {ends[-1]:.0f} samples, its speech has {len(waveform)}")
    return Speech(waveform, RATE_HZ, timed_phonemes(symbols, ends / RATE_HZ, LATE_S))


def _style(voice: KokoroVoice, length: int) -> np.ndarray:
    """The style [1, 256] for a text of so many symbols."""
    styles = _styles()
    for name in (voice.first, voice.second):
        if name not in styles:
            raise SpeechError(f"Kokoro has no English voice {name!r}, it has {', '.join(styles)}")
    first, second = (styles[name][min(length, MAX_SYMBOLS - 1)] for name in (voice.first, voice.second))
    return voice.share * first + np.float32(1 - voice.share) * second


@cache
def _styles() -> dict[str, np.ndarray]:
    """Every English voice's styles [510, 1, 256]."""
    styles = {}
    with tarfile.open(weight_path("kokoro_voices")) as archive:
        for name in (*WOMEN, *MEN):
            file = archive.extractfile(f"package/voices/{name}.bin")
            if file is None:
                raise SpeechError(f"the weights kokoro_voices hold no voice {name!r}: run `playmate weights verify`")
            styles[name] = np.frombuffer(file.read(), "<f4").reshape(MAX_SYMBOLS, 1, 256)
    return styles


@cache
def _session() -> InferenceSession:
    """The joined model, its durations an output."""
    options = one_thread()
    import onnx
    import onnxruntime

    model = onnx.load_from_string(b"".join(weight_path(name).read_bytes() for name in WEIGHTS[:4]))
    model.graph.output.append(onnx.helper.make_tensor_value_info(_DURATIONS, onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

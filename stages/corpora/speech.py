"""Speech with timed phonemes from eSpeak NG (the library inside the wheel of espeakng-loader, through ctypes).

The library keeps its state (phases, filters, noise) in globals, so each sentence gets a freshly loaded and seeded
copy: it sounds the same whatever was spoken before it (12 ms). Not for threads. Interface: `espeak-ng/speak_lib.h`.
"""

from __future__ import annotations

import ctypes
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback, the call returns when all are made
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 0x1, 0x2, 0x8000
_EVENT_END, _EVENT_PHONEME = 0, 7
_CHARS_UTF8 = 1
_IPA_SYMBOLS = 0x02
_RATE, _PITCH, _RANGE = 1, 3, 4


@dataclass(frozen=True)
class Voice:
    """`name` as eSpeak NG spells it (language+variant); rate in words a minute, pitch and range 0-100."""

    name: str
    rate_wpm: int
    pitch: int
    pitch_range: int


@dataclass(frozen=True)
class Phoneme:
    """One phoneme in IPA, stress marks included, with its span in the waveform; a pause is the empty text."""

    ipa: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    waveform: np.ndarray  # [N] float32, mono
    rate_hz: int
    phonemes: tuple[Phoneme, ...]

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / self.rate_hz


class SpeechError(RuntimeError):
    """eSpeak NG could not be loaded or refused a voice or a text."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _Id))


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@contextmanager
def _library(seed: int) -> Iterator[tuple[ctypes.CDLL, int]]:
    """A library in its first state, seeded, and its sample rate."""
    import espeakng_loader

    try:
        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    except OSError as error:
        raise SpeechError(f"eSpeak NG cannot be loaded ({error}): install the `demo` extra") from error
    try:
        data = str(espeakng_loader.get_data_path()).encode()
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT)
        if rate <= 0:
            raise SpeechError(f"eSpeak NG found no voice data in {data.decode()}")
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed & 0x7FFFFFFF))
        yield library, rate
        library.espeak_Terminate()
    finally:
        dlclose(library._handle)  # unloads it: the next load begins with fresh globals


def speak(text: str, voice: Voice, seed: int) -> Speech:
    """Speak `text`; same arguments, same samples. Raises SpeechError for an unknown voice or a refused text."""
    pieces: list[np.ndarray] = []
    marks: list[tuple[str, int]] = []  # phoneme, first sample

    def receive(samples, count, events) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        marks.extend(_phoneme_marks(events))
        return 0

    callback = _CALLBACK(receive)  # kept alive by this frame while the library calls it
    data = text.encode()
    with _library(seed) as (library, rate_hz):
        _set_voice(library, voice)
        library.espeak_SetSynthCallback(callback)
        refused = library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
    if refused or not pieces:
        raise SpeechError(f"eSpeak NG refused the text {text!r}")
    waveform = np.concatenate(pieces).astype(np.float32) / 32768.0
    return Speech(waveform, rate_hz, _phonemes(marks, rate_hz, len(waveform)))


def ipa_of(clauses: list[str], voice: str) -> list[str]:
    """IPA of each clause, as the voice of that name pronounces it; raises SpeechError."""
    with _library(seed=0) as (library, _):
        if library.espeak_SetVoiceByName(voice.encode()):
            raise SpeechError(f"eSpeak NG has no voice {voice!r}")
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        return [_clause_ipa(library, clause) for clause in clauses]


def _clause_ipa(library: ctypes.CDLL, clause: str) -> str:
    """eSpeak NG moves the pointer past what it has read, and to null at the end."""
    rest, found = ctypes.c_char_p(clause.encode()), []
    while rest.value:
        found.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _IPA_SYMBOLS).decode())
    return " ".join(found)


def _set_voice(library: ctypes.CDLL, voice: Voice) -> None:
    if library.espeak_SetVoiceByName(voice.name.encode()):
        raise SpeechError(f"eSpeak NG has no voice {voice.name!r}")
    for parameter, value in ((_RATE, voice.rate_wpm), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)


def _phoneme_marks(events) -> list[tuple[str, int]]:
    marks, at = [], 0
    while events[at].type != _EVENT_END:
        if events[at].type == _EVENT_PHONEME:
            marks.append((events[at].id.string.decode(errors="ignore"), events[at].sample))
        at += 1
    return marks


def _phonemes(marks: list[tuple[str, int]], rate_hz: int, samples: int) -> tuple[Phoneme, ...]:
    """Each phoneme lasts until the next one begins; those without a duration are dropped."""
    ends = [start for _, start in marks[1:]] + [samples]
    spans = [(ipa, start / rate_hz, end / rate_hz) for (ipa, start), end in zip(marks, ends, strict=True)]
    return tuple(Phoneme(ipa, start, end) for ipa, start, end in spans if end > start)

"""English text -> the phoneme symbols that Kokoro-82M reads, and back from symbols to the sounds that a mouth makes.

eSpeak NG says the phonemes, clause by clause; the rules of misaki (the phonemiser that Kokoro was trained with) bring
them into its alphabet: diphthongs and affricates are one capital or ligature, long marks are British alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.corpora.speech import Phoneme, ipa_of

Accent = Literal["american", "british"]
ESPEAK_VOICE: dict[Accent, str] = {"american": "en-us", "british": "en"}

# symbol -> token of Kokoro's vocabulary; 0 stands before and after the text
VOCABULARY = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "—": 9, "…": 10, " ": 16, "A": 24, "I": 25, "O": 31, "Q": 33,
    "W": 39, "Y": 41, "a": 43, "b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54,
    "m": 55, "n": 56, "o": 57, "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "z": 68, "ɑ": 69, "ɒ": 71,
    "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112, "θ": 119, "ɹ": 123,
    "ɾ": 125, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ˈ": 156, "ˌ": 157, "ː": 158, "ᵻ": 177}
_FIRST = (("tʃ", "ʧ"), ("dʒ", "ʤ"), ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("ɔɪ", "Y"))
_ACCENTS = {"american": (("oʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ɚ", "əɹ"), ("ː", "")),
            "british": (("əʊ", "Q"), ("eə", "ɛː"), ("iə", "ɪə"))}
_LAST = (("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɬ", "l"), ("ʔ", "t"), ("ɐ", "ə"), ("ʲ", ""), ("\u0303", ""),
         ("\u0329", ""), ("e", "A"), ("o", "O"))
_SOUNDS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "Q": "əʊ", "ʧ": "tʃ", "ʤ": "dʒ"}
_MARKS = re.compile(r"([;:,.!?…]+)")
_STRESS, _LONG, _PAUSES = "ˈˌ", "ː", ";:,.!?—…"


def kokoro_symbols(text: str, accent: Accent) -> str:
    """The symbols of `text`, punctuation kept; raises SpeechError for a text that eSpeak NG refuses."""
    parts = _MARKS.split(text)
    spoken = ipa_of([clause.strip() for clause in parts[::2]], ESPEAK_VOICE[accent])
    clauses = [misaki(ipa, accent) for ipa in spoken]
    joined = "".join(f"{clause}{mark} " for clause, mark in zip(clauses, [*parts[1::2], ""], strict=True))
    return "".join(symbol for symbol in joined.strip() if symbol in VOCABULARY)


def misaki(ipa: str, accent: Accent) -> str:
    """eSpeak NG's IPA of one clause in Kokoro's alphabet; the order of the rules matters."""
    for old, new in (*_FIRST, *_ACCENTS[accent], *_LAST):
        ipa = ipa.replace(old, new)
    return " ".join(ipa.split())


@dataclass
class _Span:
    ipa: str
    start: float
    end: float


def timed_phonemes(symbols: str, ends_s: np.ndarray, late_s: float) -> tuple[Phoneme, ...]:
    """Symbols [n] and the times [n + 2] at which their tokens end (the first and the last are silence) -> phonemes.

    A stress mark belongs to the vowel after it, a long mark to the vowel before it, a space half to each neighbour;
    punctuation and both ends are pauses; a diphthong or affricate is two sounds of equal length. `late_s` is taken off
    all times but the last, which stays the end of the sound.
    """
    starts_s = np.concatenate([[0.0], ends_s[:-1]])
    spans = [_Span("", 0.0, float(ends_s[0]))]
    stress, since = "", None  # of a mark, or half a space, that waits for its sound
    for symbol, start, end in zip(symbols, starts_s[1:-1].tolist(), ends_s[1:-1].tolist(), strict=True):
        begin = start if since is None else since
        if symbol in _STRESS:
            stress, since = symbol, begin
        elif symbol == _LONG:
            spans[-1].end = end
        elif symbol == " ":
            spans[-1].end = since = (start + end) / 2
        else:
            spans += _sounds("" if symbol in _PAUSES else symbol, stress, begin, end)
            stress, since = "", None
    spans.append(_Span("", float(starts_s[-1]) if since is None else since, float(ends_s[-1])))
    return tuple(_earlier(spans, late_s))


def _sounds(symbol: str, stress: str, start: float, end: float) -> list[_Span]:
    parts = _SOUNDS.get(symbol, symbol)
    edges = np.linspace(start, end, max(len(parts), 1) + 1).tolist()
    spans = [_Span(part, a, b) for part, a, b in zip(parts or [""], edges[:-1], edges[1:], strict=True)]
    spans[0].ipa = stress + spans[0].ipa if parts else ""
    return spans


def _earlier(spans: list[_Span], late_s: float) -> list[Phoneme]:
    """Moved, neighbouring pauses joined, nothing before 0 and nothing without a length."""
    last = spans[-1].end
    found: list[Phoneme] = []
    for span in spans:
        start, end = max(0.0, span.start - late_s), last if span is spans[-1] else max(0.0, span.end - late_s)
        if found and not span.ipa and not found[-1].ipa:
            start = found.pop().start_s
        if end > start:
            found.append(Phoneme(span.ipa, start, end))
    return found

"""What a film lets hear: the sound as it was given, in its own quality, while the model hears 16 kHz mono of it."""

from __future__ import annotations

from pathlib import Path

from pipeline.animate.speech import decoded, first_sound, open_media
from pipeline.media.film import Soundtrack

AAC_RATES_HZ = (16000, 22050, 24000, 32000, 44100, 48000)  # others are resampled to the next one, at most 48 kHz


def film_sound(source: Path | str | bytes) -> Soundtrack:
    """The first sound track of a file, mono or stereo, decoded while it is written; it starts and ends with the
    waveform of `read_speech`. Raises SpeechError, and what PyAV raises."""
    with open_media(source) as media:
        track = first_sound(media, source)
        rate_hz = min((rate for rate in AAC_RATES_HZ if rate >= track.rate), default=AAC_RATES_HZ[-1])
        channels = min(track.channels, 2)
    return Soundtrack(rate_hz, channels, decoded(source, rate_hz, "mono" if channels == 1 else "stereo"))

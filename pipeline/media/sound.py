"""The one reader of sound: any track of any file -> samples, each at its presentation time.

Packets that no decoder takes are skipped and counted; a format that changes in the middle gets a resampler of its own;
of several tracks the one that is heard is taken; of two channels that cancel each other, one. Holes in the clock are
silence. Formats without a clock of their own (MP3, ADTS) are taken as one piece: theirs is guessed by the demuxer from
the first frame's rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.media.container import MediaError, open_media, start_s, words

MAX_HOLE_S = 30
JITTER_S = 0.02      # containers round sound times to milliseconds: smaller steps than this are not holes
LOOK_S = 60.0        # of a track are heard to choose among several, and longer while nothing is heard
HEARD = 1e-3         # the loudest sample of a track without sound stays below (-60 dB)
SPOKEN = 0.02        # share of the time; where no track has that much speech the loudest is taken
AS_GOOD = 0.1        # a track with this share of the best one's level (or speech) comes first if it stands first
CANCELLED = 0.25     # the mean of two channels is this much weaker than one of them where they cancel each other
JOINED_S = 1.0       # a clock that goes back by more begins anew: another recording was joined on
WITHOUT_CLOCK = {"mp3", "aac", "ac3", "eac3", "amr"}
WITH_LENGTH = {"aiff", "caf", "flac", "mov"}   # formats whose header counts the samples of a track
MIN_SAID_S = 0.01
MIN_LACKING_S = 0.5

SpeechShare = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Track:
    """One sound track and how it is taken."""

    number: int                  # among the file's sound tracks, from 1
    count: int                   # of the file's sound tracks
    rate_hz: int                 # by the header
    channels: int                # 1 or 2 after the mix
    channel: int | None = None   # the one that is taken alone; None: both, or their mean
    apart: bool = False          # its channels have no places, as a recorder's, and are not mixed

    def notes(self) -> list[str]:
        """What a listener should know, in words."""
        if self.channel is None:
            return []
        return [f"its channels cannot be mixed; channel {self.channel + 1}, the loudest, is taken" if self.apart
                else "its two channels cancel each other; one of them is taken"]


@dataclass
class Tally:
    """What became of a track while it was read."""

    decoded_s: float = 0.0
    damaged_s: float = 0.0   # packets that no decoder takes
    missing_s: float = 0.0   # holes in the clock, filled with silence
    declared_s: float = 0.0     # by the header, where it counts samples
    broken: str | None = None   # why the file could not be read to its end
    before_s: float = 0.0       # damaged_s at the last good packet

    def hole(self, length_s: float) -> None:
        """The clock has a hole: that of damaged packets, where there were any since the last good one."""
        if self.damaged_s > self.before_s:
            self.damaged_s = self.before_s + length_s
        else:
            self.missing_s += length_s

    def check(self) -> None:
        """Raise MediaError where nothing could be decoded, or less than was damaged."""
        if self.decoded_s == 0 and (self.broken or self.damaged_s):
            raise MediaError("decode", "broken_media", self.broken or "no part of the sound can be decoded")
        if self.damaged_s > self.decoded_s:
            whole_s = self.damaged_s + self.decoded_s
            raise MediaError("decode", "broken_sound", f"{self.damaged_s:.1f} of {whole_s:.1f} s of sound are damaged",
                             self.damaged_s)

    def notes(self) -> list[str]:
        """What a listener should know, in words."""
        said = []
        if self.damaged_s >= MIN_SAID_S:
            said.append(f"{self.damaged_s:.2f} s of its sound are damaged")
        if self.missing_s >= MIN_SAID_S:
            said.append(f"{self.missing_s:.2f} s of missing sound are silent")
        if self.broken:
            said.append(f"the file breaks off after {self.decoded_s:.2f} s of sound ({self.broken})")
        elif self.declared_s - self.decoded_s - self.missing_s > MIN_LACKING_S:
            said.append(f"its header says {self.declared_s:.2f} s of sound, {self.decoded_s:.2f} s are there")
        return said


@dataclass(frozen=True)
class Piece:
    """Samples [C, n] float32 at `rate_hz`, C = 1 or 2; pieces of a track follow each other without a gap."""

    rate_hz: int
    samples: np.ndarray


def read_sound(path: Path, zero_s: Fraction, length_s: float, rate_hz: int, own_clock: bool,
               speech_share: SpeechShare | None = None, tally: Tally | None = None) -> np.ndarray:
    """Mono float32 [N] with sample 0 at `zero_s`, at most `length_s` long; shorter where the sound ends earlier.

    `own_clock`: a separate sound file, whose own start stands for the video file's start (zero_s is then counted from
    that). Sound that begins later is preceded by silence, what lies before zero is left out. `tally` is told
    what became of it. Raises MediaError.
    """
    track, tally = choose_track(path, None, speech_share), tally or Tally()
    with open_media(path) as container:
        zero_s = zero_s + start_s(container) if own_clock else zero_s
        if zero_s > 10:
            container.seek(int((zero_s - 5) * av.time_base))
        resample = Resampler(rate_hz)
        parts = [resample(replace(piece, samples=mono(piece.samples)))
                 for piece in pieces(container, track, tally, zero_s, length_s)]
    parts.append(resample.end())
    tally.check()
    waveform = np.concatenate(parts, axis=1)[0]
    if not np.isfinite(waveform).all():
        share = 1.0 - float(np.isfinite(waveform).mean())
        raise MediaError("decode", "broken_sound", "samples that are not numbers", share)
    return waveform[:round(length_s * rate_hz)]


def mono(samples: np.ndarray) -> np.ndarray:
    """Samples [C, n] -> [1, n]."""
    return samples.mean(axis=0, keepdims=True)


def sound_streams(container: InputContainer) -> list[AudioStream]:
    """The sound tracks of a file; raises MediaError for none, and where no decoder takes any of them."""
    streams = list(container.streams.audio)
    if not streams:
        raise MediaError("probe", "no_sound", "it has no sound track")
    if all(stream.codec_context is None for stream in streams):
        raise MediaError("probe", "no_decoder", "its sound is of a kind that cannot be decoded here")
    return streams


def choose_track(source: Path | bytes, number: int | None = None, speech_share: SpeechShare | None = None) -> Track:
    """The track of `number`, else the one in which somebody speaks, or that is loudest; the first of those alike.

    `speech_share` tells the share of 16 kHz mono in which somebody speaks; without it the level decides. Raises
    MediaError, also for a number that the file does not have.
    """
    with open_media(source) as container:
        streams = sound_streams(container)
        count = len(streams)
        if number is not None and not 1 <= number <= count:
            raise MediaError("probe", "no_sound", f"it has {count} sound tracks, and track {number} was asked for")
        tracks = [Track(i, count, stream.codec_context.sample_rate, min(stream.codec_context.channels, 2))
                  for i, stream in enumerate(streams, 1)
                  if stream.codec_context is not None and number in (None, i)]
    if not tracks:
        raise MediaError("probe", "no_decoder", "its sound is of a kind that cannot be decoded here")
    if len(tracks) == 1:
        return tracks[0] if tracks[0].channels == 1 else _listen(source, tracks[0], None).track
    heard = [_listen(source, track, speech_share) for track in tracks]
    scores = [one.speech_share for one in heard]
    if max(scores) < SPOKEN:
        scores = [one.level for one in heard]
    return next(one.track for one, score in zip(heard, scores, strict=True) if score >= AS_GOOD * max(scores))


@dataclass(frozen=True)
class _Heard:
    """A track with the channel that is to be taken, and how much is heard in it: 0 for silence and damage."""

    track: Track
    level: float = 0.0          # root mean square of its louder channel
    speech_share: float = 0.0


def _listen(source: Path | bytes, track: Track, speech_share: SpeechShare | None) -> _Heard:
    """How a track sounds; of one whose mix is silent, or cannot be made, the loudest channel is listened to."""
    heard = _listen_once(source, track, speech_share)
    if heard.level or track.channels == 1:
        return heard
    return max(heard, _listen_once(source, replace(track, apart=True), speech_share), key=lambda one: one.level)


def _listen_once(source: Path | bytes, track: Track, speech_share: SpeechShare | None) -> _Heard:
    sums, peak, time_s = np.zeros(1), 0.0, 0.0   # squares of each channel and of their mean
    resample, speech = Resampler(SAMPLE_RATE_HZ), []
    try:
        with open_media(source) as container:
            for piece in pieces(container, track, Tally()):
                samples, length_s = piece.samples.astype(np.float64), piece.samples.shape[1] / piece.rate_hz
                squares = np.mean(np.square([*samples, samples.mean(0)]), axis=1)
                sums = sums + length_s * squares if len(sums) in (1, len(squares)) else sums
                peak, time_s = max(peak, float(np.abs(samples).max(initial=0.0))), time_s + length_s
                if speech_share is not None and time_s <= LOOK_S and not track.apart:
                    speech.append(resample(piece))
                if time_s > LOOK_S and peak >= HEARD:
                    break
    except MediaError:
        return _Heard(track)
    *levels, both = np.sqrt(sums / max(time_s, 1e-9))
    if track.apart or (len(levels) == 2 and both < CANCELLED * max(levels)):
        track = replace(track, channel=int(np.argmax(levels)) if levels else 0)
    if peak < HEARD:
        return _Heard(track)
    spoken = 0.0
    if speech_share is not None and speech:
        wave = np.concatenate(speech, axis=1)
        spoken = speech_share(mono(wave)[0] if track.channel is None else wave[track.channel])
    return _Heard(track, float(max(levels)), spoken)


def pieces(container: InputContainer, track: Track, tally: Tally, zero_s: Fraction | None = None,
           length_s: float | None = None) -> Iterator[Piece]:
    """Decode a track, one channel of it where `track` says so, without holes.

    With `zero_s` it begins there, and a hole that cannot be speech raises MediaError; without, it begins with the first
    sample, and jumps of a clock that are no holes are passed over.
    """
    stream = container.streams.audio[track.number - 1]
    stream.codec_context.thread_count = 1
    trusted = container.format.name not in WITHOUT_CLOCK
    if zero_s is None and container.format.name.partition(",")[0] in WITH_LENGTH:
        tally.declared_s = float((stream.duration or 0) * (stream.time_base or 0))
    end_s, begun = zero_s, False   # of what was given so far
    for time_s, piece in _decode(container, stream, track, tally):
        rate, samples = piece.rate_hz, piece.samples
        if end_s is None:
            end_s = time_s or Fraction(0)
        gap = 0 if time_s is None or (begun and not trusted) else round((time_s - end_s) * rate)
        if begun and abs(gap) <= JITTER_S * rate:
            gap = 0
        if zero_s is None and time_s is not None and (gap < 0 or gap > MAX_HOLE_S * rate):
            end_s, gap = time_s, 0   # a clock that jumps says nothing about the sound
        elif begun and gap < -JOINED_S * rate:
            gap = 0
        if gap > MAX_HOLE_S * rate:
            raise MediaError("decode", "timestamps", f"no sound for {gap / rate:.1f} s", gap / rate)
        if gap > 0:
            yield Piece(rate, np.zeros((len(samples), gap), np.float32))
            tally.hole(gap / rate if begun else 0.0)
        tally.before_s = tally.damaged_s
        samples = samples[:, max(0, -gap):]
        if samples.shape[1]:
            yield Piece(rate, samples)
            begun = True
        end_s += Fraction(max(gap, 0) + samples.shape[1], rate)
        if length_s is not None and zero_s is not None and end_s > zero_s + length_s + 1:
            return


def _decode(container: InputContainer, stream: AudioStream, track: Track,
            tally: Tally) -> Iterator[tuple[Fraction | None, Piece]]:
    """(presentation time in s, samples as they were stored); a format that changes gets a converter of its own."""
    form, convert = ("", "", 0), av.AudioResampler(format="fltp")
    for frame in _frames(container, stream, tally):
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != form:
            layout = frame.layout.name if track.apart else "mono" if track.channels == 1 else "stereo"
            form, convert = now, av.AudioResampler(format="flt", layout=layout)   # PyAV has 8 planes at most
        time_s = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        frame.pts = None
        found = [out.to_ndarray().reshape(-1, out.layout.nb_channels).T for out in convert.resample(frame)]
        samples = np.concatenate(found, axis=1) if found else np.zeros((track.channels, 0), np.float32)
        tally.decoded_s += samples.shape[1] / frame.sample_rate
        if track.channel is not None:
            samples = samples[min(track.channel, len(samples) - 1)][None]
        yield time_s, Piece(frame.sample_rate, samples)


def _frames(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[av.AudioFrame]:
    """What can be decoded; packets that cannot are counted."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            tally.broken = words(error)
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            tally.damaged_s += _length_s(packet, stream)
            continue
        yield from frames


def _length_s(packet: av.Packet, stream: AudioStream) -> float:
    if packet.duration and packet.time_base:
        return float(packet.duration * packet.time_base)
    context = stream.codec_context
    return (context.frame_size or 1024) / (context.sample_rate or SAMPLE_RATE_HZ)


class Resampler:
    """Pieces of any rate, one after the other -> samples [C, n] at `rate_hz`."""

    def __init__(self, rate_hz: int):
        self.rate_hz = rate_hz
        self._from, self._channels = 0, 1
        self._resampler: av.AudioResampler | None = None

    def __call__(self, piece: Piece) -> np.ndarray:
        """The samples that are ready; those that wait in the filter come later."""
        rest = np.zeros((len(piece.samples), 0), np.float32)
        resampler = self._resampler
        if resampler is None or piece.rate_hz != self._from:
            rest = rest if resampler is None else self.end()
            self._from, self._channels = piece.rate_hz, len(piece.samples)
            resampler = self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self.rate_hz)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base = piece.rate_hz, Fraction(1, piece.rate_hz)
        return np.concatenate([rest, *_arrays(resampler.resample(frame))], axis=1)

    def end(self) -> np.ndarray:
        """What waits in the filter."""
        flushed = _arrays([] if self._resampler is None else self._resampler.resample(None))
        self._resampler = None
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *flushed], axis=1)

    @property
    def _layout(self) -> str:
        return "mono" if self._channels == 1 else "stereo"


def _arrays(frames: Iterable[av.AudioFrame]) -> list[np.ndarray]:
    return [frame.to_ndarray() for frame in frames]

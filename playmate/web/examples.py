"""Two portraits and voices to click, so that a visitor sees a film without files of their own.

The pictures come with packages, the voices are Kokoro's: both are made ready by the embedded corpora's own code, once,
into the cache of weights.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.core.atomic import atomic_path
from pipeline.core.paths import cache_folder
from pipeline.weights.table import WeightsError

SHOWN = (("f15", "af_heart", "Fresh mint and lemon make a simple summer drink with plenty of ice."),
         ("single", "am_michael", "The ferry leaves the pier at seven and crosses the bay in an hour."))


def examples(folder: Path) -> list[tuple[str, str]]:
    """(portrait, speech) as files in `folder`; none where a weight or package that they are made from is not there."""
    kept = cache_folder() / "examples"
    try:
        for portrait, voice, text in SHOWN:
            _make(kept, portrait, voice, text)
    except (WeightsError, ImportError, OSError) as error:
        print(f"the page has no examples: {error}", flush=True)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    for portrait, _, _ in SHOWN:
        for name in (f"{portrait}.jpg", f"{portrait}.wav"):
            shutil.copyfile(kept / name, folder / name)
    return [(str(folder / f"{portrait}.jpg"), str(folder / f"{portrait}.wav")) for portrait, _, _ in SHOWN]


def _make(kept: Path, portrait: str, voice: str, text: str) -> None:
    picture, sound = kept / f"{portrait}.jpg", kept / f"{portrait}.wav"
    if not picture.is_file():
        from PIL import Image

        from stages.corpora.portrait import read_portrait

        with atomic_path(picture) as temporary:
            Image.fromarray(read_portrait(portrait)).save(temporary, quality=90)
    if not sound.is_file():
        import soundfile

        from stages.corpora.kokoro import KokoroVoice, speak_kokoro

        speech = speak_kokoro(text, KokoroVoice(voice, voice, 1.0, 1.0))
        with atomic_path(sound) as temporary:
            soundfile.write(temporary, speech.waveform, speech.rate_hz, format="WAV", subtype="PCM_16")

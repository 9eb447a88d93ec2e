"""One film in a process of its own: `python -m pipeline.animate PORTRAIT SPEECH BUNDLE OUT.mp4`."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.animate.load import load_animator


def main() -> None:
    """Animate with the bundle's own settings, generated pose and no emotion."""
    portrait, speech, bundle, out = sys.argv[1:]
    animator, _ = load_animator(bundle)
    animator.animate_to_file(Path(portrait), Path(speech), Path(out))


if __name__ == "__main__":
    main()

"""Emotion label sets, mapping of names, and mixing for the emotion-control module (paper 3.3).

`core8` are the labels of MEAD, `union11` adds the three that only MAFW has. A condition is a row of weights over
the labels and, last, the null class, which takes what the named labels leave of 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

CORE8 = ("neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised")
UNION11 = (*CORE8, "anxiety", "helplessness", "disappointment")
LABEL_SETS = {"core8": CORE8, "union11": UNION11}
_WORDS = {   # other words for a label: its noun, close adjectives, the three letters that lists of datasets use
    "neutral": "calm none neu",
    "angry": "anger mad furious annoyed ang",
    "contempt": "contemptuous scorn scornful disdain con",
    "disgusted": "disgust disgusting dis",
    "fear": "fearful afraid scared frightened terrified fea",
    "happy": "happiness happiest joy joyful glad cheerful hap",
    "sad": "sadness unhappy sorrow sorrowful",
    "surprised": "surprise surprising astonished amazed sur",
    "anxiety": "anxious worried",
    "helplessness": "helpless",
    "disappointment": "disappointed",
}
SYNONYMS = {word: label for label, words in _WORDS.items() for word in words.split()}


def canonical_label(name: str, labels: tuple[str, ...]) -> str:
    """`name` or its synonym as a member of `labels`; raises ValueError that lists them."""
    wanted = name.strip().lower()
    wanted = SYNONYMS.get(wanted, wanted)
    if wanted not in labels:
        raise ValueError(f"unknown emotion {name!r}: this model knows {', '.join(labels)}")
    return wanted


def emotion_weights(mix: Mapping[str, float], labels: tuple[str, ...]) -> np.ndarray:
    """Weights [labels + 1] float32 of a mix such as {"happy": 0.7, "surprised": 0.2}; null takes the other 0.1.

    Raises ValueError for unknown names, negative weights, and sums above 1.
    """
    weights = np.zeros(len(labels) + 1, np.float32)
    for name, share in mix.items():
        if not share >= 0:
            raise ValueError(f"weight of emotion {name!r} is {share}: it must lie in 0..1")
        weights[labels.index(canonical_label(name, labels))] += share
    if weights.sum() > 1 + 1e-6:
        raise ValueError(f"emotion weights {dict(mix)} sum to {weights.sum():g}: at most 1 is possible")
    weights[-1] = max(0.0, 1 - weights[:-1].sum())
    return weights


def labels_and_strength(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [..., E + 1] -> the same mix of labels at full weight [..., E + 1], and its strength [..., 1], 0 to 1.

    Training shows whole labels only: a third of one and two thirds of null is nothing that the model knows, and for
    some labels it makes the whole of it. So the model is asked for whole labels, and eq. 8 weighs what they change.
    """
    named = weights[..., :-1]
    strength = named.sum(-1, keepdims=True)
    labels = named / np.where(strength > 0, strength, 1)
    return np.concatenate([labels, np.where(strength > 0, 0, 1)], -1).astype(np.float32), strength.astype(np.float32)


def parse_mix(text: str) -> dict[str, float]:
    """Read "happy" or "happy:0.7,surprised:0.2"; raises ValueError with the accepted form."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition(":")
        if name.strip() in mix:
            raise ValueError(f"emotion {text!r}: {name.strip()} stands there twice")
        try:
            mix[name.strip()] = float(share) if share else 1.0
        except ValueError as error:
            raise ValueError(f"emotion {text!r}: write NAME or NAME:WEIGHT,NAME:WEIGHT") from error
    return mix

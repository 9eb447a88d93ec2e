import numpy as np
import pytest

from models.motion.emotions import (
    CORE8,
    UNION11,
    canonical_label,
    emotion_weights,
    labels_and_strength,
    parse_mix,
)


def test_null_takes_what_the_names_leave():
    weights = emotion_weights({"happy": 0.7, "surprise": 0.2}, CORE8)
    assert weights[CORE8.index("happy")] == pytest.approx(0.7)
    assert weights[CORE8.index("surprised")] == pytest.approx(0.2)
    assert weights[-1] == pytest.approx(0.1) and weights.sum() == pytest.approx(1)
    assert np.array_equal(emotion_weights({}, CORE8), np.eye(9, dtype=np.float32)[8])


def test_a_mix_is_whole_labels_and_a_strength():
    mixes = np.stack([emotion_weights(mix, CORE8) for mix in ({"happy": 0.6, "sad": 0.2}, {"fear": 1.0}, {})])
    labels, strength = labels_and_strength(mixes)
    np.testing.assert_allclose(strength, [[0.8], [1], [0]], atol=1e-7)
    assert np.array_equal(labels[1:], mixes[1:])
    found = dict(zip((*CORE8, "null"), labels[0], strict=True))
    assert found.pop("happy") == pytest.approx(0.75) and found.pop("sad") == pytest.approx(0.25)
    assert not any(found.values())


@pytest.mark.parametrize("mix", [{"happy": 0.7, "sad": 0.5}, {"happy": -0.1}, {"happy": float("nan")}])
def test_impossible_weights_are_refused(mix):
    with pytest.raises(ValueError, match="emotion"):
        emotion_weights(mix, CORE8)


def test_unknown_names_list_the_known_ones():
    assert canonical_label(" Anger ", CORE8) == "angry"
    with pytest.raises(ValueError, match=r"anxiety.*neutral, angry, contempt"):
        canonical_label("anxiety", CORE8)
    assert canonical_label("anxiety", UNION11) == "anxiety"


def test_mixes_are_read():
    assert parse_mix("happy") == {"happy": 1.0}
    assert parse_mix("happy:0.7, surprised:0.2") == {"happy": 0.7, "surprised": 0.2}
    with pytest.raises(ValueError, match="NAME:WEIGHT"):
        parse_mix("happy:much")


MEAD = ["angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised"]  # its folders
MAFW = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
        "helplessness", "disappointment"]  # its columns, in its order


def test_both_datasets_map_by_name_whatever_their_order():
    assert sorted(canonical_label(name, CORE8) for name in MEAD) == sorted(CORE8)
    found = [canonical_label(name, UNION11) for name in MAFW]
    assert found[:4] == ["angry", "disgusted", "fear", "happy"] and sorted(found) == sorted(UNION11)
    assert UNION11[:8] == CORE8  # a core model's labels keep their places

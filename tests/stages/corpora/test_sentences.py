import re

from stages.corpora.sentences import HELD_OUT, SENTENCES, corpus_sentence
from stages.corpora.speech import Voice, speak


def test_no_sentence_stands_twice_and_none_is_held_out_and_not():
    assert len(set(SENTENCES)) == len(SENTENCES) >= 60
    assert len(set(HELD_OUT)) == len(HELD_OUT)
    assert not set(SENTENCES) & set(HELD_OUT)


def test_nobody_speaks_of_themselves_or_of_people():
    people = re.compile(r"\b(i|me|my|we|us|our|you|your|he|she|his|her|they|their|people|woman|president)\b", re.I)
    assert not [text for text in SENTENCES + HELD_OUT if people.search(text)]


def test_sentences_are_long_enough_for_a_clip_and_short_enough_for_a_breath():
    assert all(10 <= len(text.split()) <= 14 for text in SENTENCES + HELD_OUT)


def test_the_list_holds_every_kind_of_mouth_shape():
    spoken = [p.ipa for text in SENTENCES[:30] for p in speak(text, Voice("en-us+f3", 200, 50, 50), 1).phonemes]
    together = "".join(spoken)
    for sounds in ("p", "b", "m", "f", "v", "w", "θ", "ð", "ʃ", "uː", "iː", "ɑː", "æ", "oʊ", "aɪ", "ɹ"):
        assert together.count(sounds) >= 4, sounds


def test_numbers_past_the_list_start_again():
    assert corpus_sentence(len(SENTENCES) + 1) == SENTENCES[1]

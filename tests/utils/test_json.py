"""JSON for the wire and the store."""

import json
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks_app.utils.json import encode_json, mend_text

#: What a folder gives of a name in Latin-1, and what no text in UTF-8 may have.
LATIN_1 = os.fsdecode(b"r\xe9sum\xe9.csv")

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@given(ANY_TEXT)
@example(LATIN_1)
@example("\\ud800")
@example("\\\\ud800\\")
@example("\ud83d\ude00")
@example("\ude00\ud83d")
@example("😀\ud83d😀")
def test_text_in_json_can_be_encoded_and_is_else_the_same(text):
    decoded = json.loads(encode_json({text: [text]}))
    assert decoded == {mend_text(text): [mend_text(text)]}
    assert encode_json(text).isascii()


@given(ANY_TEXT)
def test_mended_text_can_be_encoded(text):
    assert mend_text(text).encode().decode() == mend_text(text)


@given(st.text())
def test_text_without_lone_surrogates_is_left_as_it_is(text):
    assert mend_text(text) == text
    assert json.loads(encode_json(text)) == text


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (LATIN_1, "r\ufffdsum\ufffd.csv"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
    ],
    ids=["Latin-1", "pair", "pair the wrong way round", "one"],
)
def test_each_lone_surrogate_becomes_a_replacement_character(text, mended):
    assert mend_text(text) == mended

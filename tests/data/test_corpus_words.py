"""The words of running text are those that the text tasks find, so that vectors carry over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.corpus_words import LINE_END, find_words
from data.vocabulary import build_tokenizer, token_ids

# Letters whose lower case is longer or decomposed, marks near and far, digits, apostrophes, marks, blanks, controls.
ALPHABET = "aBz_09'’.,\"- \n\t\r\x00\x1c\x85\u00a0\u00ad\u200b\u2028éÉe\u0301İıßẞΣσςЖя½²Ⅷ漢〇हिन्दीไทย한"
ALPHABET += "\u1100\u1161\u20d0👍𝐀𑀓𑀸"


def words_of_the_tasks(text):
    tokenizer = build_tokenizer([text, "x"], 1, 0)
    tokens = [tokenizer.id_to_token(i) for i in token_ids(tokenizer, [text])[0]]
    return [
        token for token in tokens if find_words(token)
    ]  # a visible mark is a token there, and no word here


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A good, GOOD film!", ["a", "good", "good", "film"]),
        ("don't rock'n'roll 'quoted' dogs' it''s", ["don't", "rock'n'roll", "quoted", "dogs", "it", "s"]),
        ("doesn’t ’tis", ["doesn't", "tis"]),
        ("3.5 stars_... well-made", ["3", "5", "stars_", "well", "made"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("ΟΔΟΣ", ["οδοσ"]),
        ("one.\ntwo\n\n", ["one", LINE_END, "two", LINE_END, LINE_END]),
        (" \t. ' ", []),
        ("", []),
    ],
)
def test_words_are_lower_case_whole_and_without_marks(text, expected):
    assert find_words(text) == expected


@given(st.text(st.sampled_from(ALPHABET)))
@settings(max_examples=200)
def test_words_are_those_of_the_text_tasks_in_any_script(text):
    assert [word for word in find_words(text) if word != LINE_END] == words_of_the_tasks(text)


@given(st.text(st.sampled_from(ALPHABET)), st.text(st.sampled_from(ALPHABET)))
def test_pieces_cut_between_words_give_what_the_whole_gives(first, second):
    for cut in (" ", "\n"):
        assert find_words(first + cut) + find_words(second) == find_words(first + cut + second)

"""Finds the words of running text: those of data/vocabulary.py, without its marks, at millions a second."""

import functools
import re
import unicodedata

LINE_END = "."  # stands for the end of a line; no word is written like that

# Where all that parts words is white space: an apostrophe before or after which there is no letter.
_OUTER_APOSTROPHE = re.compile(r"'(?:(?![^\s'])|(?<![^\s']'))")


def find_words(text: str) -> list[str]:
    """Returns the words of a text, with a LINE_END wherever a line ends.

    Words are lower case and NFC; they hold letters, marks, digits, underscores and inner apostrophes ("don't"). What
    stands between them is dropped.

    Args:
        text: Any piece of text that is cut between words.
    """
    # NFC comes last since lowering a letter may leave it decomposed. Unlike the tokenizer of data/vocabulary.py,
    # Python would make a capital sigma at a word's end the final one.
    text = unicodedata.normalize("NFC", text.replace("Σ", "σ").lower()).replace("’", "'")
    # Few characters are distinct, and to replace one everywhere is far faster than to search for words.
    for character in set(text):
        if not _is_in_words(character):
            text = text.replace(character, " ")
    text = _OUTER_APOSTROPHE.sub(" ", text).replace("\n", f" {LINE_END} ")
    return text.split()


@functools.cache
def _is_in_words(character: str) -> bool:
    return character.isalnum() or character in "_'\n" or unicodedata.category(character)[0] == "M"

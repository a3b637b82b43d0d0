"""Questions such as "Athens is to Greece as Baghdad is to ...", by section."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data import wheels
from data.prepare import cache_folder
from data.word_pairs import GENSIM, decoded, normalised, read_file

QUESTIONS_WORDS = "questions-words"
_MEMBER = "gensim/test/test_data/questions-words.txt"


@dataclasses.dataclass(frozen=True, eq=False)
class Analogies:
    """n questions: a is to b as c is to d, and d is asked for.

    Attributes:
        name: "questions-words", or a file's name without its ending.
        questions: n times (a, b, c, d), lower case and NFC as a corpus's words are.
        sections: The section of each question.
    """

    name: str
    questions: tuple[tuple[str, str, str, str], ...]
    sections: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def section_names(self) -> tuple[str, ...]:
        """The sections in the order of the file."""
        return tuple(dict.fromkeys(self.sections))


def load_analogies(path: str = "", folder: str = "") -> Analogies:
    """Returns the 19,544 questions in 14 sections of questions-words, or those of a user's file.

    Mikolov et al. 2013, Efficient Estimation of Word Representations in Vector Space; sections whose names begin with
    "gram" are syntactic, the others semantic.

    Args:
        path: A text file of the same form: a line ": name" begins a section, every other line is four words; "" for
            questions-words.
        folder: Where prepared data and wheels are kept (config.data.dir); "" for the user's cache folder.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A malformed file; the message names the line.
        ConnectionError: The wheel could not be downloaded.
    """
    if path:
        return _parse(decoded(read_file(path), path).splitlines(), Path(path).stem, path)
    content = wheels.read_member(wheels.fetch(GENSIM, cache_folder(folder) / "wheels"), _MEMBER)
    return _parse(decoded(content, _MEMBER).splitlines(), QUESTIONS_WORDS, _MEMBER)


def _parse(lines: Sequence[str], name: str, where: str) -> Analogies:
    questions: list[tuple[str, str, str, str]] = []
    sections: list[str] = []
    section = ""
    for number, line in enumerate(lines, start=1):
        if line.startswith(":"):
            section = line[1:].strip()
            if not section:
                raise ValueError(f"{where}, line {number}: expected a section's name after the colon")
            continue
        words = [normalised(word) for word in line.split()]
        if not words:
            continue
        if len(words) != 4:
            raise ValueError(
                f"{where}, line {number}: expected 4 words or ': section', found {len(words)} words"
            )
        if not section:
            raise ValueError(f"{where}, line {number}: expected a line ': section' before the first question")
        a, b, c, d = words
        questions.append((a, b, c, d))
        sections.append(section)
    if not questions:
        raise ValueError(f"{where}: expected lines of four words, found none")
    return Analogies(name, tuple(questions), tuple(sections))

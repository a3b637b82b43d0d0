"""Analogies: what the wheel holds, and users' files."""

from collections import Counter

import pytest

from data.analogies import load_analogies


def test_the_wheel_holds_all_questions_in_their_sections():
    analogies = load_analogies()
    assert len(analogies) == 19544
    assert len(analogies.section_names) == 14
    counts = Counter(analogies.sections)
    assert (counts["family"], counts["capital-common-countries"], counts["gram8-plural"]) == (506, 506, 1332)
    assert analogies.questions[0] == ("athens", "greece", "baghdad", "iraq")
    assert analogies.sections[0] == "capital-common-countries"


def test_a_users_file_has_the_same_form(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(": family\nMan Woman King Queen\n\n: plural\ncar cars dog dogs\n")
    analogies = load_analogies(str(path))
    assert analogies.name == "mine"
    assert analogies.questions == (("man", "woman", "king", "queen"), ("car", "cars", "dog", "dogs"))
    assert analogies.sections == ("family", "plural")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": family\nman woman king\n", "line 2: expected 4 words or ': section', found 3 words"),
        ("man woman king queen\n", "line 1: expected a line ': section' before the first question"),
        (":\nman woman king queen\n", "line 1: expected a section's name after the colon"),
        (": family\n", "expected lines of four words, found none"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line(tmp_path, text, message):
    path = tmp_path / "mine.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"mine.txt.*{message}"):
        load_analogies(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mine.txt: no such file"):
        load_analogies(str(tmp_path / "mine.txt"))

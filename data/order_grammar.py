"""Generates sentences in pairs of twins: the same bag of words, different meanings. The grammar is the .toml beside."""

import dataclasses
import functools
import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.nearest import nearest

QUESTIONS = ("describe", "act", "both")
SPLITS = ("train", "validation", "test", "test_combinations", "test_longer", "test_positions")

_HELD_OUT = 5  # of so many pairs of nouns one is kept out of training
_PATIENCE = 500  # draws without a new sentence after which there are held to be no more
_MAIN_VERBS = ("act_verb", "describe_verb")


@dataclasses.dataclass(frozen=True)
class Twins:
    """Two sentences of the same words whose answers differ.

    Attributes:
        texts: The two sentences.
        labels: Their answers.
        nouns: The animal, the noun beside it in the main clause, and those of relative clauses.
        opening: How many words stand before the main clause.
        core: How many words the main clause has, without the adverbials around it.
        length: How many words each sentence has.
    """

    texts: tuple[str, str]
    labels: tuple[str, str]
    nouns: tuple[str, ...]
    opening: int
    core: int
    length: int


def class_names(question: str) -> tuple[str, str]:
    """Returns the two answers to a question: the animal, or what stands beside it.

    Raises:
        ValueError: No such question.
    """
    if question not in QUESTIONS:
        raise ValueError(
            f"data.question: expected one of {', '.join(QUESTIONS)}, found {question!r}{nearest(question, QUESTIONS)}"
        )
    if question == "both":
        return "animal", "other"
    animal, other = _grammar()["questions"][question]["nouns"]
    return animal, other


def generate(
    *,
    question: str,
    level: int,
    num_nouns: int,
    num_verbs: int,
    num_adjectives: int,
    num_pairs: Mapping[str, int],
    seed: int,
) -> dict[str, list[Twins]]:
    """Generates all splits; the same arguments give the same sentences, in the same order.

    No sentence occurs twice, neither in a split nor in two. "validation" and "test" are drawn as "train" is. Each of
    the others differs in one respect: in "test_combinations" the two nouns of the main clause stand together in no
    training sentence; in "test_longer" every sentence has more words than any of training; in "test_positions"
    adverbials open the sentence, which only end it in training, and push the whole main clause to positions at which
    no word of a main clause stands in training.

    Args:
        question: "act": which noun acts? "describe": which is described? "both": half of the pairs each.
        level: 1: plain sentences; 2: passives, too; 3: several adjectives and relative clauses, too.
        num_nouns: Words in use of each kind of noun: animals, persons, places.
        num_verbs: Verbs in use for each question.
        num_adjectives: Adjectives in use.
        num_pairs: How many pairs of twins each of `SPLITS` gets.
        seed: Fixes everything.

    Raises:
        ValueError: An argument is out of range, or there are not so many different sentences.
    """
    sampler = _Sampler(class_names(question), level, num_nouns, num_verbs, num_adjectives, seed)
    splits: dict[str, list[Twins]] = {}
    seen: set[str] = set()
    longest = core = 0  # of training
    for split in SPLITS:
        rng = random.Random(f"{seed} {split}")
        found: list[Twins] = []
        asked, opening, misses = question, core if split == "test_positions" else 0, 0
        while len(found) < num_pairs[split] and misses < _PATIENCE:
            if question == "both":
                asked = ("act", "describe")[len(found) % 2]
            twins = sampler.draw(rng, asked, longer=split == "test_longer", opening=opening)
            if split == "test_combinations":
                suits = sampler.is_held_out(twins.nouns[:2])
            else:
                suits = not sampler.is_held_out(twins.nouns)
            if split == "test_longer":
                suits &= twins.length > longest
            if suits and seen.isdisjoint(twins.texts):
                seen.update(twins.texts)
                found.append(twins)
                misses = 0
            else:
                misses += 1
        if len(found) < num_pairs[split]:
            raise ValueError(
                f"order_grammar: found only {2 * len(found):,} different sentences for {split!r}, expected "
                f"{2 * num_pairs[split]:,}: lower data.num_train or data.num_test, or raise data.num_nouns, "
                f"data.num_verbs or data.num_adjectives"
            )
        if split == "train":
            longest = max(twins.length for twins in found)
            core = max(twins.core for twins in found)
        splits[split] = found
    return splits


class _Sampler:
    """Draws twins from the grammar, cut down to the words in use."""

    def __init__(
        self,
        labels: tuple[str, str],
        level: int,
        num_nouns: int,
        num_verbs: int,
        num_adjectives: int,
        seed: int,
    ):
        grammar = _grammar()
        levels = grammar["levels"]
        if str(level) not in levels:
            raise ValueError(f"data.level: expected one of {', '.join(levels)}, found {level!r}")
        self.labels = labels
        self.level: dict[str, Any] = levels[str(level)]
        self.questions: dict[str, Any] = grammar["questions"]
        self.determiners: list[str] = grammar["determiners"]
        self.adverbials: list[str] = grammar["phrases"]["adverbial"]
        self.nouns = {
            kind: _in_use(words, "num_nouns", num_nouns, _HELD_OUT)
            for kind, words in grammar["nouns"].items()
        }
        self.words: dict[str, list[str]] = dict(grammar["words"])
        for kind in _MAIN_VERBS:
            self.words[kind] = _in_use(self.words[kind], "num_verbs", num_verbs, 1)
        # As many as the longest sentences of level 3 have, whose adjectives all differ.
        self.words["adjective"] = _in_use(self.words["adjective"], "num_adjectives", num_adjectives, 6)
        # A noun's place in a Latin square: of the partners of each, the same share is kept out of training.
        rng = random.Random(f"{seed} combinations")
        self.places: dict[str, int] = {}
        for words in self.nouns.values():
            self.places.update(zip(words, rng.sample(range(len(words)), len(words)), strict=True))

    def is_held_out(self, nouns: Sequence[str]) -> bool:
        """Returns whether the first of the nouns, the animal, stands with another with which it is not trained."""
        return any((self.places[nouns[0]] + self.places[noun]) % _HELD_OUT == 0 for noun in nouns[1:])

    def draw(self, rng: random.Random, question: str, *, longer: bool, opening: int) -> Twins:
        """Draws two twins.

        Args:
            rng: Makes all choices.
            question: "act" or "describe".
            longer: Whether to draw as for test_longer.
            opening: How many words at least shall stand before the main clause; 0 puts adverbials behind it.
        """
        grammar = self.questions[question]
        level = {**self.level, **(self.level["longer"] if longer else {})}
        nouns = [rng.choice(self.nouns[kind]) for kind in grammar["nouns"]]
        owners = rng.sample((0, 1), rng.randint(*level["clauses"]))
        persons = rng.sample([noun for noun in self.nouns["person"] if noun not in nouns], len(owners))
        num_described = rng.randint(*level["adjectives"][question])
        of_persons = [rng.randint(*level["clause_adjectives"]) for _ in owners]
        adjectives = rng.sample(self.words["adjective"], num_described + sum(of_persons))
        described = [adjectives.pop() for _ in range(num_described)]

        clauses = ["", ""]
        for owner, person, number in zip(owners, persons, of_persons, strict=True):
            clauses[owner] = grammar["clause"].format(
                adjectives=" ".join(adjectives.pop() for _ in range(number)),
                person=person,
                clause_verb=rng.choice(self.words["clause_verb"]),
            )
        if question == "act":
            cut = rng.randint(0, len(described))
            own = [described[:cut], described[cut:]]
            twins = [(nouns, own), (nouns[::-1], own)]
        else:
            twins = [(nouns, [described, []]), (nouns, [[], described])]

        num_modifiers = rng.randint(*level["modifiers"])
        has_manner = num_modifiers > 0 and rng.random() < 0.5
        before, after = [], rng.sample(self.adverbials, num_modifiers - has_manner)
        if opening:
            before, after = self._adverbials_of(opening, rng), []
        pattern = grammar["passive" if self.level["passives"] and rng.random() < 0.5 else "active"]
        determiners = rng.choices(self.determiners, k=2)
        fixed = {
            "verb": rng.choice(self.words[grammar["verb"]]),
            "manner": rng.choice(self.words["manner"]) if has_manner else "",
        }
        cores = []
        for pair, of_each in twins:
            first, second = (
                " ".join([determiner, *own, noun, clause])
                for determiner, own, noun, clause in zip(determiners, of_each, pair, clauses, strict=True)
            )
            cores.append(pattern.format(first=first, second=second, **fixed).split())
        texts = [" ".join([*before, *core, *after]) for core in cores]
        return Twins(
            texts=(texts[0], texts[1]),
            labels=self.labels,
            nouns=(*nouns, *persons),
            opening=len(" ".join(before).split()),
            core=len(cores[0]),
            length=len(texts[0].split()),
        )

    def _adverbials_of(self, num_words: int, rng: random.Random) -> list[str]:
        """Returns different adverbials of at least so many words together, none that could be spared."""
        chosen: list[str] = []
        for adverbial in rng.sample(self.adverbials, len(self.adverbials)):
            if len(" ".join(chosen).split()) < num_words:
                chosen.append(adverbial)
        return chosen


def _in_use(words: list[str], field: str, number: int, least: int) -> list[str]:
    if not least <= number <= len(words):
        raise ValueError(f"data.{field}: expected {least} to {len(words)}, found {number}")
    return words[:number]


@functools.cache
def _grammar() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

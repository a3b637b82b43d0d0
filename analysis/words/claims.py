"""What textbooks say of word and context vectors, as tests with the outcome expected before any run; their verdicts."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .scoring import REFERENCE, WORD_CONTEXT

TOLERANCE = 1e-6  # of an identity computed with vectors in float32
ALIKE = 0.9  # from this rank correlation on, two rankings are said to be alike


@dataclasses.dataclass(frozen=True)
class Check:
    """A number held against a bound.

    Attributes:
      where: of what.
      relation: "above", "below" or "within" (from −bound to bound).
      bound: where it must lie.
      mean: over seeds; the largest error of an identity.
      ci95: over word pairs (or words); None for an identity.
      per_seed: of every seed; empty for an identity.
    """

    where: str
    relation: str
    bound: float
    mean: float
    ci95: tuple[float, float] | None
    per_seed: tuple[float, ...] = ()

    @property
    def outcome(self) -> str:
        """Supported if interval and seeds lie where they must, refuted if all lie beyond one end, else undecided."""
        low, high = self.ci95 or (self.mean, self.mean)
        low, high = min(low, *self.per_seed, self.mean), max(high, *self.per_seed, self.mean)
        if self.relation == "above":
            holds, is_violated = low > self.bound, high < self.bound
        elif self.relation == "below":
            holds, is_violated = high < self.bound, low > self.bound
        else:
            holds = -self.bound <= low and high <= self.bound
            is_violated = high < -self.bound or low > self.bound
        return "supported" if holds else "refuted" if is_violated else "undecided"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence with its test.

    Attributes:
      name: in results.
      sentence: what is said.
      test: in words.
      expected: the verdict, stated before the run.
      because: why that was expected.
      checks: (what was measured) -> its checks; none where nothing was measured that it speaks of.
    """

    name: str
    sentence: str
    test: str
    expected: str
    because: str
    checks: Callable[[Mapping[str, Any]], Iterator[Check]]


def _test_sets(measured: Mapping[str, Any], measures: str = "") -> Iterator[Mapping[str, Any]]:
    """Yields the measured sets for testing, of all that people were asked for or of one kind."""
    for result in measured["sets"].values():
        if not result["reason"] and not result["validation"] and measures in ("", result["measures"]):
            yield result


def _of(where: str, difference: Mapping[str, Any], relation: str, bound: float = 0.0) -> Check:
    low, high = difference["ci95"]
    return Check(where, relation, bound, difference["mean"], (low, high), tuple(difference["per_seed"]))


def _against_word(arm: str, relation: str, measures: str = "") -> Callable[..., Iterator[Check]]:
    def checks(measured: Mapping[str, Any]) -> Iterator[Check]:
        for result in _test_sets(measured, measures):
            difference = result["arms"][arm]["versus_word"]
            yield _of(f"{result['title']}: {arm} − {REFERENCE}", difference, relation)

    return checks


def _concat_against_sum(measured: Mapping[str, Any]) -> Iterator[Check]:
    for result in _test_sets(measured):
        yield _of(f"{result['title']}: concat − sum", result["contrasts"]["concat - sum"], "above")


def _sum_beyond_centring(measured: Mapping[str, Any]) -> Iterator[Check]:
    for result in _test_sets(measured, "relatedness"):
        contrast = result["contrasts"]["centred sum - centred word"]
        yield _of(f"{result['title']}: centred sum − centred word", contrast, "above")


def _concat_like_sum(measured: Mapping[str, Any]) -> Iterator[Check]:
    for result in _test_sets(measured):
        yield _of(f"{result['title']}: ρ(concat, sum)", result["concat_agrees_with"]["sum"], "above", ALIKE)


def _identities(*names: str) -> Callable[..., Iterator[Check]]:
    def checks(measured: Mapping[str, Any]) -> Iterator[Check]:
        for name in names:
            yield Check(_IDENTITIES[name], "within", TOLERANCE, measured["identities"][name], None)

    return checks


def _orthogonal(measured: Mapping[str, Any]) -> Iterator[Check]:
    angles = measured["angles"]
    for kind in ("raw", "centred"):
        own = angles[kind]["own"]
        where = f"mean of cos(w_i, c_i) over {angles['words']:,} words, {kind}"
        interval = own["ci95"] or (own["mean"], own["mean"])
        bound = 1 / math.sqrt(angles["dim"])
        yield Check(where, "within", bound, own["mean"], (interval[0], interval[1]), tuple(own["per_seed"]))


def _gap(measured: Mapping[str, Any]) -> Iterator[Check]:
    """Compares the word vectors' lead over word–context scores on similarity with that on relatedness.

    The two halves of WordSim-353 share pairs, which makes the two leads alike by chance, too: the interval, which takes
    them as independent, is rather too wide.
    """
    leads = [
        result["arms"][WORD_CONTEXT]["versus_word"]
        for name in ("wordsim353_similarity", "wordsim353_relatedness")
        for result in [measured["sets"].get(name)]
        if result and not result["reason"]
    ]
    if len(leads) == 2:
        similarity, relatedness = leads  # of word–context over word: the lead is its negative
        mean = relatedness["mean"] - similarity["mean"]
        half = math.hypot(*((lead["ci95"][1] - lead["ci95"][0]) / 2 for lead in leads))
        per_seed = [r - s for s, r in zip(similarity["per_seed"], relatedness["per_seed"], strict=True)]
        where = "WordSim-353: lead of word over word–context, on similarity − on relatedness"
        yield Check(where, "above", 0.0, mean, (mean - half, mean + half), tuple(per_seed))


_IDENTITIES = {
    "sum_mean_cosine": "largest |cos of sums − cos of means|",
    "sum_mean_length": "largest ||w + c| / |½(w + c)| − 2|",
    "concat_cosine": "largest |cos of concatenations − weighted mean of cos(w, w′) and cos(c, c′)|",
    "unit_concat_cosine": "largest |cos of unit concatenations − ½(cos(w, w′) + cos(c, c′))|",
}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "sum_is_mean",
        "Adding and averaging a word's two vectors give the same cosines, and lengths that differ by exactly two.",
        f"On random pairs of words both errors are at most {TOLERANCE:g}.",
        "supported",
        "A cosine does not change with a common factor.",
        _identities("sum_mean_cosine", "sum_mean_length"),
    ),
    Claim(
        "orthogonal",
        "The word vector and the context vector of one word are nearly orthogonal.",
        "The mean of cos(w_i, c_i) over all words is within ±1/√d, the spread of a random direction's cosine, both as "
        "the vectors are and with each table's mean taken away.",
        "refuted",
        "w_i·c_i estimates how much more often than by chance a word occurs beside itself, and words do recur.",
        _orthogonal,
    ),
    Claim(
        "word_for_similarity",
        "For similarity the word vectors alone are better than word–context scores.",
        "ρ of word–context less ρ of the word vectors is below zero on every test set of similarity.",
        "supported",
        "Two words are alike when they occur in the same contexts, which is what w·w′ compares.",
        _against_word(WORD_CONTEXT, "below", "similarity"),
    ),
    Claim(
        "context_for_relatedness",
        "For relatedness word–context scores are better than the word vectors alone.",
        "ρ of word–context less ρ of the word vectors is above zero on every test set of relatedness.",
        "refuted",
        "w·c′ asks whether two words occur beside each other, which counts answer less well than shared contexts do, "
        "although Asr et al. 2018 (Querying Word Embeddings for Similarity and Relatedness) found it better.",
        _against_word(WORD_CONTEXT, "above", "relatedness"),
    ),
    Claim(
        "word_lead",
        "The word vectors' lead over word–context scores is larger on similarity than on relatedness.",
        "On the two parts of WordSim-353 the difference of the two leads is above zero.",
        "supported",
        "Words that occur beside each other are related, and need not be alike.",
        _gap,
    ),
    Claim(
        "adding_disturbs",
        "Adding the context vectors disturbs the word vectors.",
        "ρ of the sum less ρ of the word vectors is below zero on every test set.",
        "refuted",
        "The sum's cosine adds what w·c′ says of words that occur beside each other, which relatedness gains from.",
        _against_word("sum", "below"),
    ),
    Claim(
        "adding_helps",
        "Adding the context vectors helps.",
        "ρ of the sum less ρ of the word vectors is above zero on every test set.",
        "refuted",
        "It should help with relatedness and harm on SimLex-999, where related words that are not alike score low; "
        "Levy et al. 2015 (Improving Distributional Similarity with Lessons Learned from Word Embeddings) saw either.",
        _against_word("sum", "above"),
    ),
    Claim(
        "sum_beyond_centring",
        "What adding the context vectors brings for relatedness is more than that the directions in which the two "
        "tables lean cancel.",
        "With each table's mean taken away first, ρ of the sum less ρ of the word vectors is above zero on every test "
        "set of relatedness.",
        "supported",
        "The cross terms w·c′ hold what occurs beside what. A control that was added after a look at vectors of "
        "another program.",
        _sum_beyond_centring,
    ),
    Claim(
        "concat_is_weighted_mean",
        "The cosine of concatenations is a mean of the cosines of their parts.",
        "On random pairs of words it is the mean of cos(w, w′) and cos(c, c′), weighted by the products of the parts' "
        f"lengths, and the plain mean where both parts have length one, up to {TOLERANCE:g}.",
        "supported",
        "[w; c]·[w′; c′] = w·w′ + c·c′.",
        _identities("concat_cosine", "unit_concat_cosine"),
    ),
    Claim(
        "concat_like_sum",
        "Concatenating and adding the two vectors rank pairs of words alike.",
        f"The rank correlation of their cosines is above {ALIKE:g} on every test set.",
        "supported",
        "They share w·w′ + c·c′, and the cross terms that only the sum has rise and fall with those.",
        _concat_like_sum,
    ),
    Claim(
        "cross_terms_disturb",
        "The cross terms w·c′ + c·w′, which the sum has and the concatenation lacks, disturb.",
        "ρ of the concatenation less ρ of the sum is above zero on every test set.",
        "undecided",
        "They carry relatedness: little should come of it on some sets and an advantage of the sum on others.",
        _concat_against_sum,
    ),
)


def judge(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Judges every claim.

    Args:
      measured: {"sets": {name: of `agreement.measure_set`, and "validation": whether the set is for tuning}, "angles"
        and "identities": of `geometry`}.

    Returns:
      {name: {"sentence", "test", "expected", "because", "verdict", "checks": [a check's fields, and "outcome"]}}.
      A claim is supported if all its checks are, refuted if one is, and else undecided; without checks "not measured".
    """
    verdicts = {}
    for claim in CLAIMS:
        checks = list(claim.checks(measured))
        verdicts[claim.name] = {
            "sentence": claim.sentence,
            "test": claim.test,
            "expected": claim.expected,
            "because": claim.because,
            "verdict": _verdict([check.outcome for check in checks]),
            "checks": [
                {
                    **dataclasses.asdict(check),
                    "ci95": None if check.ci95 is None else list(check.ci95),
                    "per_seed": list(check.per_seed),
                    "outcome": check.outcome,
                }
                for check in checks
            ],
        }
    return verdicts


def _verdict(outcomes: list[str]) -> str:
    if not outcomes:
        return "not measured"
    if all(outcome == "supported" for outcome in outcomes):
        return "supported"
    return "refuted" if "refuted" in outcomes else "undecided"

"""Claims about word and context vectors, on tables in which each is true and in which each is false."""

import numpy as np
import pytest

from analysis.words.agreement import best_alphas, measure_set
from analysis.words.claims import CLAIMS, Check, judge
from analysis.words.geometry import check_identities, measure_angles
from data.word_pairs import WordPairs

NUM_WORDS, DIM, NUM_SEEDS = 120, 24, 2
WORDS = {f"w{i}": i for i in range(NUM_WORDS)}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def made_up_pairs(name, truth, seed):
    """300 pairs, scored by the cosines of true vectors."""
    pairs = np.random.default_rng(seed).permutation(np.stack(np.triu_indices(NUM_WORDS, 1), axis=1))[:300]
    a, b = pairs.T
    scores = np.einsum("nd,nd->n", unit(truth)[a], unit(truth)[b])
    return WordPairs(name, tuple(f"w{i}" for i in a), tuple(f"w{i}" for i in b), scores)


def verdicts_of(centre, context, similarity, relatedness):
    """Judges tables [words, dim], slightly different for every seed, where the truth of both sets is known."""
    rng = np.random.default_rng(9)
    w, c = (
        np.stack([t + 0.01 * rng.standard_normal(t.shape) for _ in range(NUM_SEEDS)]).astype(np.float32)
        for t in (centre, context)
    )
    sets = {}
    for name, truth in (("wordsim353_similarity", similarity), ("wordsim353_relatedness", relatedness)):
        sets[name] = measure_set(made_up_pairs(name, truth, 1), WORDS, w, c, (0.5,), {}, 200)
        sets[name]["validation"] = False
    measured = {
        "sets": sets,
        "angles": measure_angles(w, c),
        "identities": check_identities(w, c, 500),
    }
    return {name: claim["verdict"] for name, claim in judge(measured).items()}


def parts(seed=0):
    """Three independent tables [words, DIM / 3]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((3, NUM_WORDS, DIM // 3))


@pytest.fixture(scope="module")
def worlds():
    """Verdicts by world."""
    s, r, n = parts()
    m = parts(seed=1)[0]
    none = np.zeros_like(s)
    rng = np.random.default_rng(2)
    noise = [rng.standard_normal((NUM_WORDS, DIM)) for _ in range(3)]
    truth = np.hstack([s, r, n])

    def table(*columns):
        return np.hstack(columns)

    # w is alike where words are; beside each other stand related words, which c alone tells.
    textbook = table(2 * s, 0.3 * r, none), table(none, r, none)
    return {
        "textbook": verdicts_of(*textbook, similarity=s, relatedness=r),
        "upside down": verdicts_of(*textbook, similarity=r, relatedness=s),
        "context vectors are noise": verdicts_of(truth, 1.5 * noise[0], truth, truth),
        "two noisy copies": verdicts_of(truth + noise[0], truth + noise[1], truth, truth),
        "one table twice": verdicts_of(truth + noise[2], truth + noise[2], truth, truth),
        # Both hold s, and each something of its own, which only the products w·c leave out.
        "crossed": verdicts_of(table(s, 2 * n, none), table(s, none, 2 * m), s, s),
    }


@pytest.mark.parametrize(
    ("name", "supported", "refuted"),
    [
        ("orthogonal", "context vectors are noise", "two noisy copies"),
        ("word_for_similarity", "textbook", "crossed"),
        ("context_for_relatedness", "textbook", "upside down"),
        ("word_lead", "textbook", "upside down"),
        ("adding_disturbs", "context vectors are noise", "two noisy copies"),
        ("adding_helps", "two noisy copies", "context vectors are noise"),
        ("sum_beyond_centring", "two noisy copies", "context vectors are noise"),
        ("concat_like_sum", "one table twice", "context vectors are noise"),
        ("cross_terms_disturb", "context vectors are noise", "crossed"),
    ],
)
def test_a_claim_is_supported_where_it_is_true_and_refuted_where_it_is_false(
    worlds, name, supported, refuted
):
    assert worlds[supported][name] == "supported"
    assert worlds[refuted][name] == "refuted"


def test_identities_hold_in_every_world_and_a_broken_one_is_refuted(worlds):
    names = ("sum_is_mean", "concat_is_weighted_mean")
    assert all(verdicts[name] == "supported" for verdicts in worlds.values() for name in names)
    broken = dict.fromkeys(
        ("sum_mean_cosine", "sum_mean_length", "concat_cosine", "unit_concat_cosine"), 1e-3
    )
    w = parts().astype(np.float32)[:1]
    verdicts = judge({"sets": {}, "angles": measure_angles(w, w), "identities": broken})
    assert all(verdicts[name]["verdict"] == "refuted" for name in names)


def test_a_tie_is_undecided(worlds):
    # w·c is as good as w·w where c is w.
    assert worlds["one table twice"]["word_for_similarity"] == "undecided"
    assert worlds["one table twice"]["adding_helps"] == "undecided"


def test_every_claim_states_what_was_expected_and_why():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.expected in ("supported", "refuted", "undecided")
        assert claim.because.endswith(".")
        assert claim.test.endswith(".")


@pytest.mark.parametrize(
    ("relation", "ci95", "per_seed", "outcome"),
    [
        ("above", (0.1, 0.3), (0.2, 0.2), "supported"),
        ("above", (-0.1, 0.5), (0.2, 0.2), "undecided"),
        ("above", (-0.3, -0.1), (-0.2, -0.2), "refuted"),
        ("above", (0.1, 0.3), (0.5, -0.1), "undecided"),  # one seed says otherwise
        ("below", (-0.3, -0.1), (-0.2,), "supported"),
        ("below", (0.1, 0.3), (0.2,), "refuted"),
        ("within", (-0.03, 0.04), (), "supported"),
        ("within", (0.01, 0.2), (), "undecided"),
        ("within", (0.2, 0.3), (), "refuted"),
    ],
)
def test_a_check_is_decided_by_its_interval_and_all_its_seeds(relation, ci95, per_seed, outcome):
    mean = sum(ci95) / 2
    bound = 0.05 if relation == "within" else 0.0
    assert Check("made up", relation, bound, mean, ci95, per_seed).outcome == outcome


def test_what_no_set_covers_is_not_measured():
    w, c = parts().astype(np.float32)[:1], parts(1).astype(np.float32)[:1]
    pairs = made_up_pairs("men", parts()[0], 1)
    result = measure_set(pairs, {"hund": 0, "katze": 1}, w, c, (0.5,), {}, 100) | {"validation": False}
    assert (result["covered"], result["pairs"]) == (0, 300)
    assert result["reason"] == "0 of 300 pairs covered, fewer than 10"
    assert best_alphas(result) == {}
    measured = {
        "sets": {"men": result},
        "angles": measure_angles(w, c),
        "identities": check_identities(w, c, 9),
    }
    verdicts = judge(measured)
    assert verdicts["adding_helps"]["verdict"] == verdicts["word_lead"]["verdict"] == "not measured"
    assert verdicts["sum_is_mean"]["verdict"] == "supported"


def test_a_set_for_tuning_is_no_evidence():
    s = parts()[0]
    w = np.stack([s, s]).astype(np.float32)
    result = measure_set(made_up_pairs("men", s, 1), WORDS, w, w, (0.0, 1.0), {}, 100)
    measured = {"angles": measure_angles(w, w), "identities": check_identities(w, w, 9)}
    for validation, verdict in ((True, "not measured"), (False, "supported")):
        sets = {"men": result | {"validation": validation}}
        assert judge(measured | {"sets": sets})["concat_like_sum"]["verdict"] == verdict


def test_alpha_is_chosen_where_the_curve_is_highest():
    rng = np.random.default_rng(3)
    s = parts()[0]
    w = (s + rng.standard_normal(s.shape)).astype(np.float32)[None]
    c = (4 * (s + rng.standard_normal(s.shape))).astype(np.float32)[None]
    result = measure_set(made_up_pairs("men", s, 1), WORDS, w, c, (0.0, 0.5, 0.8, 1.0), {}, 100)
    assert best_alphas(result) == {"raw": 0.8, "unit": 0.5}  # c is four times as long
    tested = measure_set(made_up_pairs("men", s, 2), WORDS, w, c, (0.0, 1.0), {"raw": 0.8, "unit": 0.5}, 100)
    assert tested["tuned"] == {"tuned α": 0.8, "unit tuned α": 0.5}
    assert tested["arms"]["tuned α"]["versus_word"]["verdict"] == "better"
    assert tested["arms"]["unit tuned α"]["mean"] == tested["arms"]["unit sum"]["mean"]

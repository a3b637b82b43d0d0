"""Tables of embeddings: what each kind promises, and what cannot be made."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import training
from analysis.sums.vocabularies import KINDS, make_vocabulary, trained_vectors
from configs import sentiment

DRAWN = [kind for kind in KINDS if kind != "trained"]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_have_the_mean_square_length_of_random_ones(kind):
    table = make_vocabulary(kind, 200, 50, rng(), trained=rng(1).normal(3.0, 0.1, (300, 60)))
    assert table.shape == (200, 50)
    assert table.dtype == np.float64
    # Of 10,000 squares of normal numbers the mean has a standard error of √2 %.
    assert np.mean(np.sum(table**2, axis=1)) == pytest.approx(50, rel=0.05 if kind == "random" else 1e-12)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_table_depends_on_its_generator_alone(kind):
    np.testing.assert_array_equal(make_vocabulary(kind, 9, 5, rng(3)), make_vocabulary(kind, 9, 5, rng(3)))
    assert not np.array_equal(make_vocabulary(kind, 9, 5, rng(3)), make_vocabulary(kind, 9, 5, rng(4)))


@given(st.integers(1, 12), st.integers(1, 12))
def test_orthogonal_embeddings_are_orthogonal_within_every_basis(num_words, dim):
    table = make_vocabulary("orthogonal", num_words, dim, rng())
    for start in range(0, num_words, dim):
        basis = table[start : start + dim]
        np.testing.assert_allclose(basis @ basis.T, dim * np.eye(len(basis)), atol=1e-12 * dim)


@given(st.integers(1, 40), st.floats(0.01, 1.0))
def test_sparse_embeddings_have_the_named_part_of_numbers_all_of_one_size(dim, density):
    table = make_vocabulary("sparse", 20, dim, rng(), density=density)
    present = max(1, round(density * dim))
    assert (np.count_nonzero(table, axis=1) == present).all()
    np.testing.assert_allclose(np.abs(table[table != 0]), math.sqrt(dim / present))


def test_trained_embeddings_are_the_beginning_of_the_table_times_one_factor():
    trained = rng().standard_normal((30, 8)).astype(np.float32)
    table = make_vocabulary("trained", 10, 4, trained=trained)
    factor = table[0, 0] / trained[0, 0]
    assert factor > 0
    np.testing.assert_allclose(table, factor * trained[:10, :4], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "fields", "message"),
    [
        (
            ("randon", 2, 2),
            {"rng": rng()},
            r"unknown kind of embeddings 'randon' \(did you mean 'random'\?\)",
        ),
        (("random", 0, 2), {"rng": rng()}, "at least one word and one dimension, got V=0, d=2"),
        (
            ("sparse", 2, 2),
            {"rng": rng(), "density": 0.0},
            "density must lie above 0 and not above 1, got 0.0",
        ),
        (("random", 2, 2), {}, "are drawn: pass rng"),
        (("trained", 2, 2), {}, "need the vectors of a finished run"),
        (
            ("trained", 4, 2),
            {"trained": np.ones((3, 8))},
            "has 3 words of width 8, fewer than V=4, d=2",
        ),
        (("trained", 2, 9), {"trained": np.ones((3, 8))}, "has 3 words of width 8, fewer than V=2, d=9"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, fields, message):
    with pytest.raises(ValueError, match=message):
        make_vocabulary(*arguments, **fields)


@pytest.fixture(scope="module")
def run_config(tmp_path_factory):
    """Twelve reviews in which "good" is the most frequent word; one epoch."""
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    lines = [f"good film {word},{label}" for word, label in (("fine", "good"), ("dull", "bad"))] * 6
    path.write_text("\n".join(["text,label", "good,good", *lines]) + "\n")
    config = sentiment.get_config("combiner=product")
    config.seeds = (0, 1)
    config.data.path = str(path)
    config.model.dim = 6
    config.train.epochs = 1
    return config


def test_a_finished_run_gives_its_words_without_padding_and_unknown_as_the_combiner_gets_them(
    run_config, tmp_path
):
    training.run(run_config, tmp_path / "run")
    vectors = trained_vectors(tmp_path / "run")
    run = training.load(tmp_path / "run")
    assert vectors.shape == (run.preprocessor.spec.vocab_size - 2, 6)
    assert run.preprocessor.tokenizer.id_to_token(2) == "good"
    # A product starts around one, with the small deviation of the config: padding or the bare table would lie at zero.
    np.testing.assert_allclose(vectors, 1.0, atol=0.5)
    np.testing.assert_array_equal(vectors, np.asarray(run.variables.params.embedding.table)[0, 2:] + 1.0)


def test_a_run_without_one_table_of_words_is_refused(run_config, tmp_path):
    config = run_config.copy_and_resolve_references()
    config.model.table_per_slot = True
    training.run(config, tmp_path / "run")
    with pytest.raises(ValueError, match="without one table of words that all slots share"):
        trained_vectors(tmp_path / "run")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no finished run"):
        trained_vectors(tmp_path / "nowhere")

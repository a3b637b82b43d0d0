"""The classic grid: all of its 280 miscounts as the plain float64 procedure gives them, and as it once gave them."""

import json
import pathlib

import ml_collections
import numpy as np
import pytest

from analysis.sums.classic import draw_embeddings, draw_samples, measure_classic

# {"V": [dims][numbers]}, of the plain procedure; whatever changes both ways at once is noticed here.
GOLDEN = json.loads((pathlib.Path(__file__).parent / "classic_miscounts.json").read_text())


def make_config():
    return ml_collections.ConfigDict(
        {
            "classic": {
                "seed": 1729,
                "vocabularies": (8, 32, 128, 1024),
                "dims": (10, 20, 50, 70, *range(100, 1001, 100)),
                "numbers": (10, 20, 50, 100, 200),
            },
            "illustration": {
                "seed": 1729,
                "vocabulary": 32,
                "dims": (2, 16, 24, 32, 64, 128),
                "numbers": (10, 50, 100, 500),
            },
        }
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the whole classic grid and illustration grid come to, and the config."""
    config = make_config()
    return measure_classic(config, tmp_path_factory.mktemp("classic")), config


def test_all_280_miscounts_are_those_of_the_plain_procedure(results):
    rows = results[0]["classic"]
    assert len(rows) == 280
    assert all(row["identical"] for row in rows)


@pytest.mark.parametrize("vocabulary", [8, 32, 128, 1024])
def test_the_miscounts_are_the_golden_ones(results, vocabulary):
    of_vocabulary = [row["miscount"] for row in results[0]["classic"] if row["vocabulary"] == vocabulary]
    np.testing.assert_array_equal(np.reshape(of_vocabulary, (14, 5)), GOLDEN[str(vocabulary)])


def test_the_illustration_holds_counts_of_n_summands_and_their_miscount(results):
    measured, config = results
    sizes = [(row["dim"], row["n"]) for row in measured["illustration"]]
    assert sizes == [(d, n) for d in config.illustration.dims for n in config.illustration.numbers]
    for row in measured["illustration"]:
        assert row["identical"]
        assert sum(row["true"]) == sum(row["estimated"]) == row["n"]
        assert row["miscount"] == np.abs(np.subtract(row["true"], row["estimated"])).sum()


def test_samples_and_embeddings_are_those_of_the_global_legacy_generator():
    np.random.seed(1729)  # noqa: NPY002
    expected = [np.random.choice(32, size=n) for n in (10, 20)]  # noqa: NPY002
    for drawn, sample in zip(draw_samples(1729, 32, (10, 20)), expected, strict=True):
        np.testing.assert_array_equal(drawn, sample)
    np.random.seed(1729)  # noqa: NPY002
    np.testing.assert_array_equal(draw_embeddings(1729, 32, 10), np.random.randn(10, 32).T)  # noqa: NPY002
    np.testing.assert_array_equal(draw_embeddings(1729, 32, 20)[:, :10], draw_embeddings(1729, 32, 10))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("classic.dims", (0, 10), r"config.classic.dims must ascend from at least 1, got \(0, 10\)"),
        ("classic.numbers", (20, 10), r"config.classic.numbers must ascend from at least 1, got \(20, 10\)"),
        (
            "illustration.vocabulary",
            0,
            r"config.illustration.vocabulary must ascend from at least 1, got \(0,\)",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused(tmp_path, field, value, message):
    config = make_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        measure_classic(config, tmp_path)
    assert not list(tmp_path.iterdir())

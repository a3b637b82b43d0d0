"""Decoders: exact where sums are easy to read, blind to the answer, and measured as they should be."""

import json

import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sums import decoders as decoders_module
from analysis.sums.decoder_grid import measure_decoder, measure_decoders
from analysis.sums.decoders import DECODERS, decoder, draw_counts
from analysis.sums.greedy import miscount
from analysis.sums.probe_figures import plot_decoders
from analysis.sums.probe_page import decoder_section
from analysis.sums.vocabularies import make_vocabulary


def table(kind, num_words, dim, seed=0):
    return make_vocabulary(kind, num_words, dim, np.random.default_rng(seed))


def bags(num_draws, num_words, n, seed=1):
    return draw_counts(np.random.default_rng(seed), num_draws, num_words, n)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(("kind", "num_words", "dim"), [("random", 8, 200), ("orthogonal", 16, 16)])
def test_every_decoder_is_exact_where_sums_are_easy_to_read(name, kind, num_words, dim):
    embeddings, counts = table(kind, num_words, dim), bags(5, num_words, 10)
    found = DECODERS[name](embeddings, counts @ embeddings, 10)
    assert found.dtype == int
    np.testing.assert_array_equal(found, counts)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_errs_where_there_are_far_more_words_than_dimensions(name):
    embeddings, counts = table("random", 200, 5), bags(4, 200, 30)
    found = DECODERS[name](embeddings, counts @ embeddings, 30)
    assert found.shape == counts.shape
    assert (found >= 0).all()
    assert (miscount(counts, found) > 0).all()


def test_a_sparse_answer_is_found_in_fewer_dimensions_than_there_are_words():
    embeddings, counts = table("random", 100, 40), bags(10, 100, 3)
    totals = counts @ embeddings
    for name in ("lasso", "omp"):
        assert np.mean(miscount(counts, DECODERS[name](embeddings, totals, 3)) == 0) >= 0.9, name


@pytest.mark.parametrize("name", [name for name in DECODERS if name != "mlp_probe"])
@given(scale=st.sampled_from([1e-3, 1e3]), seed=st.integers(0, 100))
def test_the_scale_of_a_table_changes_nothing(name, scale, seed):
    embeddings, counts = table("random", 6, 12, seed), bags(2, 6, 4, seed)
    found = DECODERS[name](embeddings, counts @ embeddings, 4)
    np.testing.assert_array_equal(DECODERS[name](scale * embeddings, scale * (counts @ embeddings), 4), found)


@pytest.mark.parametrize("name", DECODERS)
def test_each_sum_is_decoded_for_itself(name):
    embeddings, counts = table("random", 20, 10), bags(4, 20, 6)
    totals = counts @ embeddings
    found = DECODERS[name](embeddings, totals, 6)
    np.testing.assert_array_equal(DECODERS[name](embeddings, totals[::-1][:2], 6), found[::-1][:2])


def test_probes_do_not_learn_from_the_bags_that_they_are_asked_about(monkeypatch):
    embeddings, counts = table("random", 50, 10), bags(20, 50, 5)
    totals = counts @ embeddings
    honest = miscount(counts, DECODERS["linear_probe"](embeddings, totals, 5)).mean()
    monkeypatch.setattr(decoders_module, "draw_counts", lambda *_: counts)
    # An impostor that learns from the very bags reads ten numbers of twenty bags better than they can be read.
    assert miscount(counts, DECODERS["linear_probe"](embeddings, totals, 5)).mean() < honest


def test_a_sum_that_no_embedding_points_to_is_read_as_empty_by_the_lasso():
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(DECODERS["lasso"](embeddings, np.array([[-1.0, -2.0]]), 3), [[0, 0]])


def test_a_cell_reports_mean_interval_share_and_time():
    embeddings = np.eye(2)
    counts = np.array([[2, 0], [1, 1], [0, 2], [1, 1]])
    result = measure_decoder(
        "nnls", embeddings * [1.0, 0.0], counts
    )  # the second word is lost: 0, 1, 2 and 1 missed
    assert result["miscount"]["mean"] == 1.0
    assert result["miscount"]["ci95"] == pytest.approx(
        [1 - 1.2992, 1 + 1.2992], abs=1e-4
    )  # t₃ · s / √4, s = √(2/3)
    assert result["exact"]["mean"] == 0.25
    assert result["exact"]["ci95"] == pytest.approx([0.0456, 0.6994], abs=1e-4)  # Wilson's, for one of four
    assert result["seconds"] > 0


def config_of(**fields):
    config = ml_collections.ConfigDict()
    config.decoders = {
        "names": ("greedy", "nnls", "omp"),
        "kinds": ("random", "orthogonal", "trained"),
        "cells": ((8, 64, 4), (40, 8, 6)),
        "num_draws": 4,
        "seed": 0,
        "trained_workdir": "nowhere",
        "density": 0.1,
    }
    config.decoders.update(fields)
    return config


def test_the_grid_is_measured_kept_and_shown(tmp_path):
    results = measure_decoders(config_of(), tmp_path)
    assert len(results["rows"]) == 3 * 2 * 2
    easy, hard = (
        [row["exact"]["mean"] for row in results["rows"] if row["vocabulary"] == size] for size in (8, 40)
    )
    assert min(easy) == 1.0
    assert max(hard) < 1.0
    assert [(left["kind"], left["dim"]) for left in results["left_out"]] == [("trained", 64), ("trained", 8)]
    before = (tmp_path / "decoders.json").read_text()
    assert measure_decoders(config_of(), tmp_path) == results
    assert (tmp_path / "decoders.json").read_text() == before
    json.dumps(results, allow_nan=False)

    plot_decoders(results, tmp_path / "decoders.png")
    assert (tmp_path / "decoders.png").read_bytes().startswith(b"\x89PNG")
    page = decoder_section(results, "decoders.png")
    assert "(decoders.png)" in page
    assert "### Orthogonal embeddings" in page
    assert "trained embeddings: workdir nowhere holds no finished run" in page
    assert page.count("**0** (100%)") >= 6


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": ("greedi",)}, r"unknown decoder 'greedi' \(did you mean 'greedy'\?\)"),
        ({"kinds": ("sparce",)}, r"unknown kind of embeddings 'sparce' \(did you mean 'sparse'\?\)"),
        ({"kinds": ("sparse",), "density": 2.0}, "density must lie above 0"),
        ({"num_draws": 1}, "num_draws must be at least 2"),
        ({"cells": ((8, 0, 4),)}, r"must be at least 2 and the numbers of every cell \(V, d, n\) positive"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        measure_decoders(config_of(**fields), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_decoder_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"unknown decoder 'nnlss' \(did you mean 'nnls'\?\); known are greedy"
    ):
        decoder("nnlss")

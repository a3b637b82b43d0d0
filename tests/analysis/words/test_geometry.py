"""Angles between w and c, identities of cosines and projections, on tables whose geometry is known."""

import numpy as np
import pytest

from analysis.words.geometry import check_identities, measure_angles, project


def tables(seeds=2, words=400, dim=16, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((seeds, words, dim)).astype(np.float32) for _ in range(2))


def test_independent_tables_are_nearly_orthogonal():
    angles = measure_angles(*tables())
    for kind in ("raw", "centred"):
        own = angles[kind]["own"]
        assert abs(own["mean"]) < 0.05
        assert own["ci95"][0] < 0 < own["ci95"][1]
        assert own["quantiles"]["0.95"] == pytest.approx(1.64 / np.sqrt(16), abs=0.06)
        assert sum(own["counts"]) == 2 * 400
    assert (angles["dim"], angles["words"]) == (16, 400)


def test_a_table_beside_itself_is_parallel_and_its_random_pairs_are_not():
    w, _ = tables()
    angles = measure_angles(w, w)
    assert angles["raw"]["own"]["mean"] == pytest.approx(1)
    assert abs(angles["raw"]["random"]["mean"]) < 0.05


def test_taking_means_away_removes_what_all_words_share():
    w, c = tables()
    lean = np.full(16, 3, np.float32)
    angles = measure_angles(w + lean, c - lean)
    assert angles["raw"]["own"]["mean"] < -0.8
    assert angles["raw"]["random"]["mean"] < -0.8
    assert abs(angles["centred"]["own"]["mean"]) < 0.05


def test_cosines_are_those_computed_by_hand_and_no_word_is_its_own_random_partner():
    w, c = tables(seeds=1, words=3)
    found = measure_angles(w, c)["raw"]
    by_hand = [
        float(a @ b / np.sqrt((a @ a) * (b @ b)))
        for a, b in zip(w[0].astype(float), c[0].astype(float), strict=True)
    ]
    assert found["own"]["mean"] == pytest.approx(np.mean(by_hand))
    same = np.eye(3, 16, dtype=np.float32)[None]
    assert measure_angles(same, same)["raw"]["random"]["mean"] == 0


def test_bands_follow_the_frequency_of_words():
    w, c = tables(seeds=1, words=1500)
    c[:, :1000] = w[:, :1000]
    bands = measure_angles(w, c)["raw"]["bands"]
    assert [band["words"] for band in bands] == ["1 to 1,000", "1,001 to 1,500"]
    assert bands[0]["mean"] == pytest.approx(1)
    assert abs(bands[1]["mean"]) < 0.05


def test_identities_hold_to_rounding_even_where_a_vector_is_zero():
    w, c = tables()
    w[0, 3], c[1, 5], w[0, 7], c[0, 7] = 0, 0, 0, 0
    errors = check_identities(w, 100 * c, 2000)
    assert set(errors) == {"sum_mean_cosine", "sum_mean_length", "concat_cosine", "unit_concat_cosine"}
    assert all(0 <= error < 1e-6 for error in errors.values())


def test_words_on_a_plane_are_projected_without_loss():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.standard_normal((12, 2)))[0].T
    angles = np.linspace(0, 2, 6)
    w = (np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane).astype(np.float32)
    found = project(w, np.zeros_like(w), [0, 2, 5])
    assert found["word"] == found["sum"]
    assert sum(found["word"]["explained"]) == pytest.approx(1)
    points, chosen = np.asarray(found["word"]["points"]), w[[0, 2, 5]].astype(float)
    for i in range(3):
        for j in range(3):
            distance = np.linalg.norm(chosen[i] - chosen[j])
            assert np.linalg.norm(points[i] - points[j]) == pytest.approx(distance, abs=1e-6)


def test_one_word_alone_is_projected_to_the_origin():
    w, c = tables(seeds=1, words=4)
    assert project(w[0], c[0], [1])["sum"] == {"points": [[0.0, 0.0]], "explained": [0.0, 0.0]}

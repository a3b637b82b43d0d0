"""Identities hold to rounding, and a preconditioned sum follows a concatenation with a fixed matrix."""

import json

import ml_collections
import numpy as np
import pytest

from analysis import analyze
from analysis.dynamics import measure_dynamics
from analysis.rounding import DTYPES, ROUNDED, measure_rounding
from configs import categorical, equivalences


def small(rates=None, **dynamics):
    """A control of three features small enough to be trained in a second."""
    config = equivalences.get_config("smoke")
    run = categorical.get_config("data=additive,combiner=concat")
    run.data.synthetic.update({"num_values": 5, "num_train": 1000, "num_validation": 200, "num_test": 50})
    run.model.update({"match": "embed", "dim": 4, "hidden": (6,), "embedding_scale": 0.5})
    config.dynamics.run = run
    config.dynamics.update({"steps": 100, "points": 6, "batch": 50, **dynamics})
    config.dynamics.rates = ml_collections.ConfigDict(rates or {"sgd": 0.2, "adam": 1e-2})
    return config


@pytest.fixture(scope="module")
def rounding(tmp_path_factory):
    config = ml_collections.ConfigDict({"rounding": {"shapes": ((3, 8, 4),), "batch": 16, "seeds": (0, 1)}})
    return measure_rounding(config, tmp_path_factory.mktemp("rounding"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_identity_holds_to_a_few_units_of_rounding(rounding, dtype):
    for formula in ROUNDED:
        found = rounding[f"{formula} | 3x8→4 | {dtype}"]
        assert found["error"] <= 8 * found["eps"], formula


def test_padding_with_zeros_adds_nothing_at_all(rounding):
    errors = [found["error"] for name, found in rounding.items() if "0; …; x_i" in name]
    assert errors == [0.0] * len(DTYPES)


def test_arithmetic_of_less_precision_differs_by_more(rounding):
    formula = "[x_1; …; x_n] W = Σ_i x_i W_i"
    errors = [rounding[f"{formula} | 3x8→4 | {dtype}"]["error"] for dtype in DTYPES]
    assert 0 < errors[0] < errors[1] < errors[2]


@pytest.fixture(scope="module")
def dynamics(tmp_path_factory):
    return measure_dynamics(small(), tmp_path_factory.mktemp("dynamics"))


def test_both_start_as_the_same_function(dynamics):
    for cell in dynamics.values():
        assert cell["steps"][0] == 0
        assert cell["apart"]["concat"][0] < 1e-6


def test_they_part_with_the_first_step(dynamics):
    assert dynamics["sgd, seed 0"]["apart"]["concat"][1] > 1e-3
    assert dynamics["adam, seed 0"]["apart"]["concat"][1] > 1e-3


def test_a_sum_whose_gradient_is_preconditioned_follows_a_concatenation_with_a_fixed_matrix(dynamics):
    apart = dynamics["sgd, seed 0"]["apart"]
    assert max(apart["concat, W fixed"][:5]) < 1e-6
    assert max(apart["concat, W fixed"]) < 1e-3, "rounding grows where a unit is switched on or off"
    assert max(apart["concat"]) > 1e-1, "or there is nothing to follow"
    rmse = dynamics["sgd, seed 0"]["rmse"]["concat, W fixed"]
    assert min(rmse) < 0.9 * rmse[0], "or nothing was learnt"


def test_an_unknown_optimiser_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dynamics\.rates\.rmsprop: known optimisers are sgd, adam"):
        measure_dynamics(small(rates={"rmsprop": 0.1}), tmp_path)


def test_the_page_shows_what_was_measured(tmp_path):
    config = small()
    run = categorical.get_config("data=additive,combiner=sum,smoke")
    run.data.synthetic.update({"num_values": 5, "num_train": 200, "num_validation": 50, "num_test": 50})
    run.model.update({"dim": 6, "hidden": (5,)})
    run.seeds = (0,)
    config.unfolding.runs = ml_collections.ConfigDict({"a run": run})
    config.unfolding.update({"folder": str(tmp_path / "runs"), "widths": (1, 5)})
    config.rounding.shapes, config.output = ((2, 4, 4),), str(tmp_path)
    analyze(config)
    page = (tmp_path / "equivalences.md").read_text()
    assert "| 5 |" in page
    assert "sum, preconditioned" in page
    for figure in ("unfolding.png", "dynamics.png"):
        assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")
    lost = [float(np.max(share)) for share in _cells(tmp_path)["a run | 5"]["lost"]]
    assert max(lost) < 1e-12, "at full width nothing is lost"


def _cells(folder):
    return json.loads((folder / "unfolding.json").read_text())["cells"]

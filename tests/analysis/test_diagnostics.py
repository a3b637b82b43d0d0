"""How combiners behave at initialisation: the measures against what is known of them, and the files written."""

import json
import math

import pytest

import analysis
from analysis.diagnostics_page import exponent
from configs import diagnostics

LENGTHS = (2, 8, 32)


def config_of(output, combiners, **fields):
    config = diagnostics.get_config()
    config.update(
        {"output": str(output), "combiners": combiners, "num_vectors": LENGTHS, "bags": 64, **fields}
    )
    return config


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder and the rows of a diagnosis of six combiners, as {arm: {n: row}}."""
    output = tmp_path_factory.mktemp("diagnostics") / "new" / "folder"
    names = ("sum", "mean", "sqrtn", "max", "product", "abs_difference")
    message = analysis.analyze(config_of(output, names))
    assert message == f"7 arms measured; written: {output}/diagnostics.md, .json and .png"
    arms = {}
    for row in json.loads((output / "diagnostics.json").read_text())["rows"]:
        arms.setdefault(row["arm"], {})[row["num_vectors"]] = row
    return output, arms


def slope(arms, arm, measure):
    return exponent(LENGTHS, [arms[arm][n][measure] for n in LENGTHS])


@pytest.mark.parametrize(
    ("arm", "output", "gradient", "response"),
    [("sum", 0.5, 0.5, 1.0), ("mean", -0.5, -0.5, 0.0), ("sqrtn", 0.0, 0.0, 0.5)],
)
def test_linear_poolings_grow_with_the_power_of_n_that_follows_from_their_formula(
    measured, arm, output, gradient, response
):
    _, arms = measured
    assert slope(arms, arm, "output") == pytest.approx(output, abs=0.05)
    assert slope(arms, arm, "gradient") == pytest.approx(gradient, abs=0.01)
    assert slope(arms, arm, "response") == pytest.approx(response, abs=0.01)


def test_a_maximum_hands_its_gradient_to_one_vector_per_dimension_whatever_n(measured):
    _, arms = measured
    assert all(arms["max"][n]["gradient"] == pytest.approx(1.0, abs=0.03) for n in LENGTHS)
    assert slope(arms, "max", "response") == pytest.approx(0.0, abs=0.01)


def test_a_product_around_zero_vanishes_and_around_one_does_not(measured):
    _, arms = measured
    # The product of n numbers of variance s² has variance s^2n.
    assert arms["product, vectors around 0"][2]["output"] == pytest.approx(0.1, rel=0.1)
    assert arms["product, vectors around 0"][32]["output"] < 1e-20
    assert arms["product"][32]["output"] == pytest.approx(math.sqrt(32), rel=0.3)


def test_what_cannot_be_measured_says_why(measured):
    output, arms = measured
    assert "reason" not in arms["abs_difference"][2]
    assert arms["abs_difference"][8]["reason"] == "combines exactly 2 vectors"
    assert (
        "- `abs_difference` at n = 8, 32: combines exactly 2 vectors"
        in (output / "diagnostics.md").read_text()
    )


def test_the_page_has_a_line_for_every_arm_and_shows_the_figure(measured):
    output, arms = measured
    page = (output / "diagnostics.md").read_text()
    assert "(diagnostics.png)" in page
    assert (output / "diagnostics.png").read_bytes().startswith(b"\x89PNG")
    assert "| `product`, vectors around 0 |" in page
    assert all(f"| `{row['combiner']}`" in page for lengths in arms.values() for row in lengths.values())
    assert sorted(path.name for path in output.iterdir()) == [
        "diagnostics.json",
        "diagnostics.md",
        "diagnostics.png",
    ]


def test_what_is_too_large_is_left_out(tmp_path):
    config = config_of(tmp_path, ("position_sum",), num_vectors=(2, 4), max_numbers=2 * 32 * 32)
    analysis.analyze(config)
    two, four = json.loads((tmp_path / "diagnostics.json").read_text())["rows"]
    assert "reason" not in two
    assert four["reason"] == "4,096 numbers, more than max_numbers=2,048"


def test_an_exponent_is_the_slope_of_a_power_law():
    assert exponent((2, 4, 8), (3.0, 12.0, 48.0)) == pytest.approx(2.0)
    assert exponent((2,), (3.0,)) is None
    assert exponent((2, 4), (1.0, 0.0)) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"combiners": ("summ",)}, r"unknown combiner 'summ' \(did you mean 'sum'\?\)"),
        ({"num_vectors": (2, 0)}, r"must be positive and seeds not empty, got \(2, 0\)"),
        ({"seeds": ()}, "seeds not empty"),
        ({"analysis": "diagnostic"}, r"unknown analysis 'diagnostic' \(did you mean 'diagnostics'\?\)"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        analysis.analyze(config_of(tmp_path / "new", **{"combiners": ("sum",), **fields}))
    assert not (tmp_path / "new").exists()

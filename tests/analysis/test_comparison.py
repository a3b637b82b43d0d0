"""A comparison holds what arms reach against what was expected of them, and pairs them with a reference."""

import json

import ml_collections
import pytest

from analysis import comparison
from analysis.comparison_page import NO_BOUND, comparison_page


def results(rmse, ridge=1.0):
    """The results of a run of as many seeds as there are errors."""
    mean = sum(rmse) / len(rmse)
    summary = {"per_seed": list(rmse), "mean": mean, "ci95": None if len(rmse) == 1 else [mean - 1, mean + 1]}
    return {
        "metrics": {"test": {"rmse": summary}, "validation": {"rmse": summary}},
        "references": {"ridge": {"test": {"rmse": ridge}}},
        "num_params": {"embedding": 10, "other": 2, "total": 12},
        "combined_width": 4,
        "timing": {"train_seconds": 1.5},
    }


def make_table(**fields):
    defaults = {"metrics": ("test/rmse",), "reference": "ridge", "repeats": (), "expect": {}}
    return ml_collections.ConfigDict(
        {"title": "a table", "expected": "nothing", "arms": {}, **defaults, **fields}
    )


def test_one_run_is_summarised_over_its_seeds():
    arm = comparison.summarise_arm([results([2.0, 4.0])], make_table(), None)
    assert arm["metrics"]["test/rmse"] == {"per_seed": [2.0, 4.0], "mean": 3.0, "ci95": [2.0, 4.0]}
    assert arm["ratio"] == 3.0
    assert "as_expected" not in arm


def test_repeats_are_summarised_over_repeats_and_paired_with_the_reference():
    runs = [results([1.0, 3.0], ridge=1.0), results([4.0, 4.0], ridge=2.0)]
    arm = comparison.summarise_arm(runs, make_table(repeats=({}, {})), None)
    assert arm["metrics"]["test/rmse"]["per_seed"] == [2.0, 4.0]
    assert arm["reference"]["per_seed"] == [1.0, 2.0]
    assert arm["difference"]["per_seed"] == [1.0, 2.0]
    assert arm["ratio"] == pytest.approx(2.0)
    assert arm["train_seconds"] == 3.0


@pytest.mark.parametrize(
    ("bounds", "found"), [((0.0, 1.03), True), ((1.2, NO_BOUND), False), ((1.02, 1.02), True)]
)
def test_bounds_are_multiples_of_the_reference_ends_included(bounds, found):
    arm = comparison.summarise_arm([results([2.04], ridge=2.0)], make_table(), bounds)
    assert arm["as_expected"] is found


def test_an_arm_whose_seeds_diverged_has_no_ratio_and_is_not_as_expected():
    diverged = results([1.0, 1.0])
    diverged["metrics"]["test"]["rmse"] = {"per_seed": [None, 1.0], "mean": None, "ci95": None}
    arm = comparison.summarise_arm([diverged], make_table(), (0.0, 1.03))
    assert (arm["ratio"], arm["as_expected"], arm["difference"]["mean"]) == (None, False, None)


def test_without_a_reference_bounds_are_values():
    arm = comparison.summarise_arm([results([0.5])], make_table(reference=""), (0.498, 0.502))
    assert arm["as_expected"] is True
    assert "ratio" not in arm


def test_the_page_shows_what_was_expected_and_what_came(monkeypatch, tmp_path):
    answers = {"good": results([1.01, 1.01]), "bad": results([1.5, 1.5])}
    monkeypatch.setattr(
        comparison.training, "run", lambda config, workdir: answers[workdir.name.rpartition("-")[0]]
    )
    arms = {name: {"seeds": (0, 1)} for name in answers}
    expect = {"good": (0.0, 1.03), "bad": (0.0, 1.03)}
    config = ml_collections.ConfigDict(
        {
            "output": str(tmp_path / "new" / "page"),
            "runs": str(tmp_path / "runs"),
            "title": "A page",
            "introduction": "About it.",
            "tables": {"one": make_table(arms=arms, expect=expect)},
        }
    )
    said = comparison.compare(config)
    page = (tmp_path / "new" / "page.md").read_text()
    assert f"written: {tmp_path / 'new' / 'page.md'}" in said
    assert "# A page" in page
    assert "Expected beforehand: nothing" in page
    assert "| `good` | 1.0100 ± 1.0000 | 1.010 | ≤ 1.03 | yes | 4 | 12 | 2 |" in page
    assert "| `bad` | 1.5000 ± 1.0000 | 1.500 | ≤ 1.03 | **no** | 4 | 12 | 2 |" in page
    assert "| *ridge* | 1.0000 |" in page
    assert "As expected: 1 of 2 arms." in page
    assert comparison_page(json.loads((tmp_path / "new" / "page.json").read_text())) == page


def test_an_expectation_of_no_arm_is_refused_before_anything_is_run():
    tables = {"one": make_table(arms={"sum": {}}, expect={"summ": (0.0, 1.0)})}
    with pytest.raises(ValueError, match=r"tables.one.expect: there is no arm 'summ'"):
        comparison.compare(ml_collections.ConfigDict({"tables": tables}))

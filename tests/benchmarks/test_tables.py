"""Pages of results: rows of contenders, and tables that are put between the marks of a documentation page."""

import pytest

from benchmarks.pages import add_differences, table_lines
from benchmarks.tables import fill

PAGE = "Before.\n\n<!-- begin speed -->\nold\n<!-- end speed -->\n\nAfter.\n"


def test_a_row_shows_medians_ratios_and_the_share_of_the_floor():
    table = {
        "ours": {
            "seconds_per_step": [1e-3, 2e-3, 3e-3],
            "median_seconds": 2e-3,
            "ratio": 1.0,
            "ratio_min": 1.0,
            "ratio_max": 1.0,
            "steps": 10,
            "floor": {"total": 1e-3},
        },
        "theirs": {"reason": "it does not compile"},
    }
    *_, ours, theirs = table_lines(table, batch=128)
    assert ours == "| ours | 2 (1 to 3) | 64,000 | 1.00x (1.00 to 1.00) | 1 | 50% |  |"
    assert theirs.startswith("| theirs | left out: it does not compile |")
    head, rule = table_lines(table, batch=128)[:2]
    assert {line.count("|") for line in (head, rule, ours, theirs)} == {head.count("|")}


@pytest.mark.parametrize("difference", [1e-2, float("nan")])
def test_a_contender_that_learns_something_else_is_no_contender(difference):
    with pytest.raises(AssertionError, match="theirs differs"):
        add_differences({"theirs": {}}, {"theirs": difference})


def test_what_lies_between_the_marks_is_replaced_by_the_results_of_all_devices(tmp_path):
    (tmp_path / "speed.md").write_text("# Speed\n\nFast.\n\n## Batches of 128\n\n![a](speed.png)\n", "utf-8")
    (tmp_path / "speed-gpu.md").write_text("# Speed\n\nFaster.\n", "utf-8")
    filled = fill(PAGE, tmp_path)
    assert "old" not in filled
    assert filled.startswith("Before.\n")
    assert filled.endswith("After.\n")
    assert "### Batches of 128" in filled
    assert "](../benchmarks/results/speed.png)" in filled
    assert "### On gpu\n\nFaster." in filled
    assert fill(filled, tmp_path) == filled


def test_a_name_without_results_and_a_lonely_mark_are_refused(tmp_path):
    (tmp_path / "spead.md").write_text("# Speed\n", "utf-8")
    with pytest.raises(ValueError, match=r"no results of 'speed'.*spead"):
        fill(PAGE, tmp_path)
    with pytest.raises(ValueError, match=r"begin speed.*not a pair"):
        fill(PAGE.replace("<!-- end speed -->", ""), tmp_path)

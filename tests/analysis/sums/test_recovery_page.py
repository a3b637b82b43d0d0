"""What the sections and figures say of recovery: the numbers that were measured, however few they are."""

import ml_collections
import pytest

from analysis.sums.classic import measure_classic
from analysis.sums.draws import measure_draws
from analysis.sums.figures import plot_classic, plot_draws, plot_illustration, plot_law
from analysis.sums.law import measure_law
from analysis.sums.recovery_page import classic_section, draws_section, illustration_section, law_section


@pytest.fixture(scope="module", params=["a grid", "the least there can be"])
def measured(request, tmp_path_factory):
    """Results of a small grid of 40 draws, and of a grid of one cell and one draw."""
    small = request.param != "a grid"
    config = ml_collections.ConfigDict(
        {
            "classic": {
                "seed": 1,
                "vocabularies": (4,) if small else (4, 8),
                "dims": (2,) if small else (2, 8, 16, 40, 100),
                "numbers": (3,) if small else (2, 3, 4),
            },
            "illustration": {
                "seed": 1,
                "vocabulary": 4,
                "dims": (2,) if small else (2, 40),
                "numbers": (1,) if small else (3, 9),
            },
            "draws": {"num_draws": 1 if small else 40, "seed": 0},
        }
    )
    folder = tmp_path_factory.mktemp("recovery")
    classic, draws = measure_classic(config, folder), measure_draws(config, folder)
    return {**classic, "draws": draws, "law": measure_law(draws), "small": small}


def test_the_classic_section_holds_every_miscount(measured):
    rows = measured["classic"]
    page = classic_section(rows, "grid.png")
    assert "![miscount against dimension](grid.png)" in page
    assert f"the same counts in {len(rows)} of {len(rows)} cells" in page
    first = [row for row in rows if (row["vocabulary"], row["n"]) == (4, 3)]
    assert f"| 4 | 3 | {' | '.join(str(row['miscount']) for row in first)} |" in page


def test_the_illustration_section_says_from_which_dimension_on_counts_are_right(measured):
    page = illustration_section(measured["illustration"], "counts.png")
    row = measured["illustration"][-1]
    assert f"{row['miscount']} of {2 * row['n']}" in page
    if not measured["small"]:
        assert "with n = 9 every count is right from d = 40 on" in page
        assert "0 of 18, r = 1.00" in page
        assert "From d = V on no count is off by more than 0." in page


def test_the_draws_section_holds_every_share_and_mean(measured):
    draws = measured["draws"]
    page = draws_section(draws, "draws.png")
    assert f"over {draws['num_draws']:,} draws" in page
    of_line = [row for row in draws["rows"] if (row["vocabulary"], row["n"]) == (4, 3)]
    shares = " | ".join(f"{100 * row['recovery']:.1f}" for row in of_line)
    assert f"| 4 | 3 | {shares} |" in page
    for row in of_line:
        if row["miscount"] and row["miscount_ci95"]:
            assert f"{row['miscount']:.2f} ± {row['miscount_ci95'][1] - row['miscount']:.2f}" in page


def test_the_law_section_holds_every_point_and_every_fit(measured):
    law = measured["law"]
    page = law_section(law, "law.png")
    assert page.count("\n| 4 |") == len([point for point in law["points"] if point["vocabulary"] == 4])
    if measured["small"]:
        assert page.count("points do not settle it") == 3
        assert "Too few points lie within the grid" in page
    else:
        assert f"{law['fits'][0]['parameters']['r2']:.4f}" in page
        assert "Found: d* is" in page


def test_the_figures_are_drawn(measured, tmp_path):
    plot_classic(measured["classic"], tmp_path / "classic.png")
    plot_illustration(measured["illustration"], tmp_path / "illustration.png")
    plot_draws(measured["draws"]["rows"], tmp_path / "draws.png")
    plot_law(measured["law"], tmp_path / "law.png")
    for name in ("classic", "illustration", "draws", "law"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")

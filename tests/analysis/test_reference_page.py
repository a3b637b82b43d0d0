"""The reference page docs/combiners.md: complete, and made from the declarations as they are now."""

import json
import pathlib

import pytest

import analysis
from analysis.reference_page import reference_page
from combiners import COMBINERS
from configs import combiner_reference

ROOT = pathlib.Path(__file__).parents[2]
TIMES = json.loads((ROOT / "benchmarks" / "results" / "combiners.json").read_text("utf-8"))


def test_the_page_in_docs_is_up_to_date():
    page = (ROOT / "docs" / "combiners.md").read_text("utf-8")
    assert page == reference_page(TIMES), "run: python analyze.py --config=configs/combiner_reference.py"


def test_every_combiner_was_timed_or_says_why_not():
    assert TIMES["table"].keys() == COMBINERS.keys()
    assert {name for name, row in TIMES["table"].items() if "reason" in row} == {"tensor_fusion"}


@pytest.mark.parametrize("name", COMBINERS)
def test_every_combiner_has_its_declarations_on_the_page(name):
    cls, page = COMBINERS[name], reference_page(TIMES)
    entry = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert f"    {cls.formula}\n" in entry
    assert f"- Source: {cls.citation}." in entry
    assert f"- Use when {cls.use_when}." in entry
    assert ("order-blind" in entry) == cls.permutation_invariant
    assert ("x forward, " in entry) == (name != "tensor_fusion")


def test_the_command_writes_the_page(tmp_path):
    config = combiner_reference.get_config()
    config.times = str(ROOT / config.times)
    config.output = str(tmp_path / "docs" / "combiners.md")
    assert analysis.analyze(config) == f"{len(COMBINERS)} combiners; written: {config.output}"
    assert (tmp_path / "docs" / "combiners.md").read_text("utf-8") == reference_page(TIMES)


def test_times_that_were_never_measured_are_refused_with_the_command(tmp_path):
    config = combiner_reference.get_config()
    config.update({"times": str(tmp_path / "none.json"), "output": str(tmp_path / "combiners.md")})
    with pytest.raises(ValueError, match=r"none.json is missing: python -m benchmarks.combiners"):
        analysis.analyze(config)
    assert not (tmp_path / "combiners.md").exists()

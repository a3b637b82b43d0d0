"""Measuring cell by cell: what is finished is kept, whatever ends the measurement."""

import json

import pytest

from analysis.cells import measure_cells

SETTINGS = {"draws": 3, "sizes": [1, 2]}


def test_results_come_in_the_order_of_the_cells_and_lie_in_the_file(tmp_path):
    path = tmp_path / "cells.json"
    assert list(measure_cells(path, SETTINGS, {"b": lambda: 2, "a": lambda: 1}, "cells").items()) == [
        ("b", 2),
        ("a", 1),
    ]
    assert json.loads(path.read_text()) == {"settings": SETTINGS, "cells": {"b": 2, "a": 1}}


@pytest.mark.parametrize("end", [KeyboardInterrupt, ArithmeticError])
def test_what_was_finished_before_the_end_is_not_measured_again(tmp_path, end):
    path, measured = tmp_path / "cells.json", []

    def stop():
        raise end

    with pytest.raises(end):
        measure_cells(path, SETTINGS, {"a": lambda: measured.append("a"), "b": stop, "c": lambda: 3}, "cells")
    cells = {"a": lambda: measured.append("a"), "b": lambda: 2, "c": lambda: 3}
    assert measure_cells(path, SETTINGS, cells, "cells") == {"a": None, "b": 2, "c": 3}
    assert measured == ["a"]


def test_results_of_other_settings_are_not_mixed_in(tmp_path):
    path = tmp_path / "cells.json"
    measure_cells(path, SETTINGS, {"a": lambda: 1}, "cells")
    before = path.read_text()
    with pytest.raises(ValueError, match=r"other settings \(draws: 3 there, 4 now\)"):
        measure_cells(path, {**SETTINGS, "draws": 4}, {"a": lambda: 1}, "cells")
    assert path.read_text() == before

"""Contenders take turns, ratios are taken round by round, and what cannot take part is said."""

import dataclasses
import time

import pytest

from benchmarks import measure
from benchmarks.measure import UnavailableError, beside, compare, require_memory


@dataclasses.dataclass
class Sleeper:
    """Takes a fixed time for a step and keeps a diary."""

    name: str
    diary: list
    seconds: float = 0.0
    steps: int | None = None
    most_steps: int = 3

    def take(self, steps):
        self.diary.append((self.name, steps))
        time.sleep(steps * self.seconds)


def missing():
    raise UnavailableError("no such library")


def test_ratios_are_taken_round_by_round():
    table = compare({"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 6.0, 4.0]}, "ours")
    assert table["theirs"]["ratio"] == 2
    assert (table["theirs"]["ratio_min"], table["theirs"]["ratio_max"]) == (1, 3)
    assert table["ours"]["ratio"] == 1


def test_contenders_of_a_group_take_turns_and_the_next_group_comes_after():
    diary = []
    ours = Sleeper("ours", diary, steps=5)
    groups = [
        {"a": lambda: Sleeper("a", diary), "missing": missing},
        {"b": lambda: Sleeper("b", diary)},
    ]
    table = beside(("ours", ours), groups, rounds=2, round_seconds=0.01)
    names = [name for name, _ in diary]
    assert names == ["ours", *"aaaa", *(["ours", "a"] * 2), "ours", *"bbbb", *(["ours", "b"] * 2)]
    assert list(table) == ["ours", "a", "missing", "b"]
    assert table["missing"] == {"reason": "no such library"}
    assert (table["ours"]["steps"], table["a"]["steps"]) == (5, 3)
    assert len(table["ours"]["seconds_per_step"]) == 4


def test_a_slow_contender_takes_few_steps_in_a_round():
    slow = Sleeper("slow", [], seconds=0.02)
    table = beside(
        ("ours", Sleeper("ours", [], steps=1)), [{"slow": lambda: slow}], rounds=1, round_seconds=0.01
    )
    assert table["slow"]["steps"] == 1


def test_what_does_not_fit_in_memory_is_left_out_with_its_size(monkeypatch):
    monkeypatch.setattr(measure, "memory_left", lambda: 2**30)
    require_memory(2**29)
    with pytest.raises(UnavailableError, match=r"needs 4.0 GiB, and 1.0 GiB are left"):
        require_memory(2**32)


def test_results_of_a_quick_run_lie_apart(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(measure, "QUICK_RESULTS", tmp_path / "quick")
    measure.save("name", {"a": 1}, "# Page\n", quick=True)
    assert sorted(path.name for path in (tmp_path / "quick").iterdir()) == ["name.json", "name.md"]
    assert not (tmp_path / "results").exists()
    assert capsys.readouterr().out == "# Page\n\n"


def test_another_device_has_files_of_its_own(monkeypatch):
    assert measure.device_suffix() == ""
    monkeypatch.setattr(measure.jax, "default_backend", lambda: "gpu")
    device = dataclasses.make_dataclass("Device", [("device_kind", str)])("NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(measure.jax, "devices", lambda: [device])
    assert measure.device_suffix() == "-nvidia-h100-80gb-hbm3"

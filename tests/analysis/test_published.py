"""Published numbers are judged as stated beforehand, run where the data are at hand, and else say what they need."""

import json

import ml_collections
import pytest
import tensorflow_datasets as tfds

import training
from analysis import ANALYSES, analyze
from analysis.published import is_at_hand, verdict
from configs import published


@pytest.fixture
def runs(monkeypatch):
    """Stands in for training: {folder: per-seed accuracy, or the error to raise}, and what was asked to run."""
    answers, asked = {}, []

    def run(config, workdir):
        asked.append((workdir, config))
        per_seed = answers.get(workdir.name, [0.5, 0.5])
        if isinstance(per_seed, Exception):
            raise per_seed
        mean = None if None in per_seed else sum(per_seed) / len(per_seed)
        return {
            "metrics": {
                "test": {
                    "accuracy": {
                        "per_seed": per_seed,
                        "mean": mean,
                        "ci95": None if mean is None else [mean - 0.01, mean + 0.01],
                    }
                }
            },
            "num_params": {"total": 1234},
            "num_examples": {"train": 5000, "validation": 10, "test": 20},
            "timing": {"train_seconds": 1.5},
            "device": "cpu",
            "config": {"train": {"epochs": 3}},
        }

    monkeypatch.setattr(training, "run", run)
    run.answers, run.asked = answers, asked
    return run


def make_entry(**fields):
    run = {"data": {"name": "mnist", "path": "", "dir": ""}}
    defaults = {"finding": "a finding", "value": 0.98, "tolerance": 0.01, "relation": "at_least"}
    more = {"metric": "test/accuracy", "source": "a paper", "needs": "", "note": "", "run": run}
    return {**defaults, **more, **fields}


def make_config(tmp_path, **entries):
    return ml_collections.ConfigDict(
        {
            "analysis": "published",
            "output": str(tmp_path / "new" / "page"),
            "runs": str(tmp_path / "runs"),
            "title": "A page",
            "introduction": "About it.",
            "entries": entries,
        }
    )


# --- Judging ---


@pytest.mark.parametrize(
    ("mean", "relation", "expected"),
    [
        (0.982, "at_least", "pass"),  # on the bound, which 0.984 - 0.002 misses in binary
        (0.9819, "at_least", "fail"),
        (0.999, "at_least", "pass"),
        (0.999, "near", "fail"),
        (0.986, "near", "pass"),
        (0.9861, "near", "fail"),
        (0.9819, "near", "fail"),
        (None, "at_least", "fail"),
    ],
)
def test_a_score_is_reached_from_below_and_a_value_met_from_both_sides(mean, relation, expected):
    assert verdict(mean, 0.984, 0.002, relation) == expected


def test_the_page_says_pass_or_fail_with_mean_and_interval_and_what_the_rest_needs(tmp_path, runs):
    runs.answers |= {"good": [0.99, 0.97], "bad": [0.9, 0.9], "wild": [None, 0.99]}
    absent = make_entry(needs="a file of your own", finding="|u − v|")
    del absent["run"]
    config = make_config(tmp_path, good=make_entry(), bad=make_entry(), wild=make_entry(), absent=absent)
    told = analyze(config)
    page = (tmp_path / "new" / "page.md").read_text()
    assert "4 numbers: 1 passed, 2 failed, 1 not run." in page
    assert (
        "| a finding | 0.98 | − 0.01 | 0.9800 ± 0.0100 (test accuracy) | +0.0000 | 2 | pass | a paper |"
        in page
    )
    assert "| 0.9000 ± 0.0100 (test accuracy) | -0.0800 | 2 | **fail** |" in page
    assert "| diverged (test accuracy) |  | 2 | **fail** |" in page
    assert r"| \|u − v\| | 0.98 | − 0.01 | test accuracy | a paper | a file of your own |" in page
    assert "pass: good" in told
    assert "not run: absent" in told
    entries = json.loads((tmp_path / "new" / "page.json").read_text())["entries"]
    assert entries["good"]["measured"]["per_seed"] == [0.99, 0.97]
    assert {name: entry["outcome"] for name, entry in entries.items()} == {
        "good": "pass",
        "bad": "fail",
        "wild": "fail",
        "absent": "not run",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"relation": "about"}, "entries.one.relation must be near or at_least, got 'about'"),
        ({"tolerance": -0.1}, "entries.one.tolerance must not be negative, got -0.1"),
    ],
)
def test_a_statement_that_cannot_be_judged_is_refused_before_anything_is_run(fields, message, tmp_path, runs):
    config = make_config(tmp_path, a=make_entry(), one=make_entry(**fields))
    with pytest.raises(ValueError, match=message):
        analyze(config)
    assert runs.asked == []


def test_an_entry_without_a_run_must_say_what_it_needs(tmp_path, runs):
    entry = make_entry()
    del entry["run"]
    with pytest.raises(ValueError, match=r"entries.one has neither a run nor a word on what it needs"):
        analyze(make_config(tmp_path, one=entry))


# --- Data at hand ---


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"name": "mnist", "path": ""}, True),
        ({"name": "tfds:imdb_reviews", "path": "reviews.csv"}, True),
        ({"name": "", "path": ""}, False),
        ({"name": "tfds:imdb_reviews", "path": ""}, False),
    ],
)
def test_own_datasets_and_files_are_at_hand_and_unprepared_ones_of_tfds_are_not(
    data, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "of_tfds"))
    assert is_at_hand(ml_collections.ConfigDict({**data, "dir": str(tmp_path)})) is expected


@pytest.mark.parametrize("place", ["ours/tfds", "of_tfds"])
def test_a_dataset_of_tfds_is_at_hand_once_it_is_prepared_in_our_folder_or_in_its_own(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "of_tfds"))
    folder = tmp_path / place / "paws_wiki" / "labeled_final_tokenized" / "1.1.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    assert is_at_hand(
        ml_collections.ConfigDict({"name": "tfds:paws_wiki", "path": "", "dir": str(tmp_path / "ours")})
    )


def test_data_that_turn_out_to_be_absent_make_an_entry_not_run_with_the_reason(tmp_path, runs):
    runs.answers["one"] = ImportError("preparing it needs TensorFlow")
    analyze(make_config(tmp_path, one=make_entry()))
    entry = json.loads((tmp_path / "new" / "page.json").read_text())["entries"]["one"]
    assert (entry["outcome"], entry["reason"]) == ("not run", "preparing it needs TensorFlow")


# --- The config ---


@pytest.fixture
def no_tfds(monkeypatch, tmp_path):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "of_tfds"))
    monkeypatch.setattr("analysis.published.cache_folder", lambda folder: tmp_path / "cache")


def test_every_number_of_the_table_is_an_entry():
    config = published.get_config()
    assert config.analysis in ANALYSES
    values = sorted(entry.value for entry in config.entries.values())
    table = [0.984, 0.984, 0.881, 0.906, 0.863, 0.814, 0.782, 0.802, 0.918, 0.880, 0.823, 0.834, 0.508, 0.558]
    assert values == sorted([*table, 0.711, 0.660, 0.698, 0.705, 0.808, 0.073, 0.0004, 0.155, 0.115])


@pytest.mark.parametrize("argument", ["", "smoke"])
def test_without_further_data_the_two_of_mnist_are_run_and_the_rest_say_what_they_need(
    argument, tmp_path, runs, no_tfds
):
    config = published.get_config(argument)
    config.output, config.runs = str(tmp_path / "page"), str(tmp_path / "runs")
    analyze(config)
    assert [workdir.name for workdir, _ in runs.asked] == ["mnist_512_512_dropout", "mnist_800"]
    deep, wide = (run.model for _, run in runs.asked)
    assert (wide.dim, wide.hidden, wide.dropout) == (800, (), 0.0)
    assert (deep.dim, deep.hidden, deep.dropout) == (512, (512,), 0.2)
    entries = json.loads((tmp_path / "page.json").read_text())["entries"]
    absent = [entry for entry in entries.values() if entry["outcome"] == "not run"]
    assert len(absent) == len(entries) - 2
    assert all(entry["reason"] for entry in absent)
    assert "tfds:paws_wiki prepared" in entries["paws_bag_of_words"]["reason"]


def test_a_file_of_the_users_own_makes_its_entry_run(tmp_path, runs, no_tfds):
    config = published.get_config()
    config.output, config.runs = str(tmp_path / "page"), str(tmp_path / "runs")
    config.entries.sst2_nbow.run.data.path = "train.tsv"
    runs.answers["sst2_nbow"] = [0.83, 0.82]
    analyze(config)
    assert json.loads((tmp_path / "page.json").read_text())["entries"]["sst2_nbow"]["outcome"] == "pass"


def test_the_smoke_argument_keeps_out_of_the_documentation():
    assert published.get_config("smoke").output.startswith(published.get_config("smoke").runs)
    assert published.get_config().output == "docs/results/published"

"""A run as a function: what it refuses before anything is written."""

import pytest

from training import evaluate_workdir, run


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "sentimant"}, "unknown task 'sentimant' (did you mean 'sentiment'?)"),
        ({"model.combiner": "summ"}, "unknown combiner 'summ' (did you mean 'sum'?)"),
        ({"model.match": "size"}, "one of width, embed, params, got 'size'"),
        ({"model.dtype": "float16"}, "float32 or bfloat16, got 'float16'"),
        ({"model.dropout": 1.0}, "model.dropout must lie in [0, 1), got 1.0"),
        ({"model.word_dropout": -0.1}, "model.word_dropout must lie in [0, 1), got -0.1"),
        ({"model.combiner": "max", "data.weights": "idf"}, "'max' has no meaning for weights"),
        ({"optimizer.name": "adamm"}, "unknown optimizer.name 'adamm' (did you mean 'adam"),
        ({"train.monitor": "f1"}, "train.monitor must be one of accuracy, loss, got 'f1'"),
        ({"train.on_divergence": "ignore"}, "stop or freeze, got 'ignore'"),
        ({"train.epochs": 0}, "train.epochs must be at least 1, got 0"),
        ({"train.length_buckets": 0}, "train.length_buckets must be at least 1, got 0"),
        ({"engine.replicas": "pmap"}, "auto, map or vmap, got 'pmap'"),
        ({"seeds": ()}, "seeds must be different integers from 0 to 2**32 - 1, got ()"),
        ({"seeds": (-1,)}, "from 0 to 2**32 - 1, got (-1,)"),
        ({"seeds": (0, 2**32)}, "from 0 to 2**32 - 1"),
        (
            {"optimizer.learning_rate": float("nan")},
            "optimizer.learning_rate must be a finite number, got nan",
        ),
        ({"optimizer.learning_rate": -1.0}, "optimizer.learning_rate must not be negative, got -1.0"),
        ({"data.split_seed": -1}, "data.split_seed must not be negative, got -1"),
        ({"data.path": "", "data.path_test": "t.csv"}, "data.path_test=t.csv needs data.path"),
        ({"seeds": (1, 1)}, "seeds must be different"),
        ({"data.name": "rotten_tomatos", "data.path": ""}, "did you mean 'rotten_tomatoes'"),
        ({"data.path": "none.csv"}, "none.csv"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(config, tmp_path, fields, message):
    changed = config.copy_and_resolve_references()
    for field, value in fields.items():
        changed.update_from_flattened_dict({field: value})
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        run(changed, tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_the_users_stays_when_nothing_came_of_a_run(config, tmp_path):
    changed = config.copy_and_resolve_references()
    changed.model.combiner = "summ"
    with pytest.raises(ValueError, match="summ"):
        run(changed, tmp_path)
    assert tmp_path.is_dir()
    with pytest.raises(ValueError, match="summ"):
        run(changed, tmp_path / "deep" / "er")
    assert not (tmp_path / "deep").exists()


def test_a_run_does_not_go_on_with_other_data(config, tmp_path, reviews_csv):
    copy = tmp_path / "copy.csv"
    copy.write_text(reviews_csv.read_text())
    changed = config.copy_and_resolve_references()
    changed.data.path = str(copy)
    workdir = tmp_path / "run"
    run(changed, workdir)
    (workdir / "results.json").unlink()  # as if it had been killed before its end
    before = (workdir / "preprocessor.json").read_bytes()
    copy.write_text(copy.read_text().replace(",good", ",bad", 20))
    with pytest.raises(ValueError, match=r"the data of copy.csv \(.*train.*\) has changed since the run in"):
        run(changed, workdir)
    assert (workdir / "preprocessor.json").read_bytes() == before


@pytest.mark.parametrize(
    "combiner",
    ["k_max", "last", "role_filler", "low_rank_fusion", "cross_network", "transformer", "lstm", "multi"],
)
def test_a_combiner_of_each_family_trains_by_name_alone(combiner, config, tmp_path):
    smoke = config.copy_and_resolve_references()
    smoke.model.combiner = combiner
    smoke.train.epochs, smoke.seeds = 1, (0, 1)
    results = run(smoke, tmp_path / "run")
    assert (results["combiner"], results["diverged"]) == (combiner, {})
    again = evaluate_workdir(tmp_path / "run", "test")
    assert again["metrics"] == results["metrics"]["test"]

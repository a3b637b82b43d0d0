"""The tidy tables hold one number a row, the same in Parquet as in CSV."""

import numpy as np
import pandas as pd
import pytest

from analysis.report.costs import cost, step_seconds
from analysis.report.loading import load_runs, load_sweep
from analysis.report.tables import RESULT_COLUMNS, results_table, tuning_table, write_tables


def test_there_is_one_row_per_experiment_arm_split_metric_and_seed(sweep):
    table = results_table(load_sweep(sweep))
    assert tuple(table.columns) == RESULT_COLUMNS
    assert len(table) == 2 * 8 * 2 * 2 * 5
    assert not table.duplicated(["experiment", "arm", "split", "metric", "seed"]).any()
    row = table[(table["arm"] == "concat") & (table["split"] == "test") & (table["seed"] == 2)].iloc[0]
    experiment = load_sweep(sweep).experiments[0]
    assert row["value"] == experiment.per_seed()["concat"][2]
    assert (row["combiner"], row["match"], row["dataset"], row["task"]) == (
        "concat",
        "width",
        "rotten_tomatoes",
        "sentiment",
    )
    assert (row["learning_rate"], row["embedding_scale"], row["flops_per_example"]) == (0.1, 0.1, 4096)
    assert (row["params_embedding"], row["params_other"]) == (20000, 290)


def test_the_step_time_is_per_step_and_seed(make_run):
    arm = load_runs([make_run("a", "sum", seconds=30.0)]).experiments[0].arms[0]
    assert step_seconds(arm) == pytest.approx(30.0 / (3 * 8 * 125))


def test_a_step_time_that_the_run_measured_is_taken_for_cost_and_table(make_arm):
    arm = make_arm("sum", [0.7, 0.8], timing={"train_seconds": 10.0, "step_seconds": 0.002})
    assert step_seconds(arm) == 0.002
    assert cost(arm)[2] == 0.002


def test_a_run_without_the_newer_keys_is_counted_by_its_history(make_run):
    evidence = load_runs([make_run("a", "sum", seconds=30.0, new_keys=False)])
    assert step_seconds(evidence.experiments[0].arms[0]) == pytest.approx(30.0 / (3 * 8 * 125))
    assert np.isnan(results_table(evidence)["flops_per_example"]).all()


def test_a_diverged_seed_has_no_value_but_its_step(make_run):
    table = results_table(load_runs([make_run("a", "sum", (0.7, None, 0.72))]))
    test = table[(table["split"] == "test") & (table["metric"] == "accuracy")]
    assert np.isnan(test["value"]).tolist() == [False, True, False]
    assert test["diverged_step"].tolist() == [-1, 120, -1]


def test_the_tuning_table_holds_every_setting_and_marks_the_chosen_one(sweep):
    table = tuning_table(load_sweep(sweep))
    assert len(table) == 2 * 8 * 2 * 4 * 5
    chosen = table[table["chosen"]]
    assert set(zip(chosen["learning_rate"], chosen["embedding_scale"], strict=True)) == {(0.1, 0.1)}
    assert len(chosen) == 2 * 8 * 5
    diverged = table[table["diverged_step"] >= 0]
    assert np.isnan(diverged["value"]).all()
    assert set(diverged["learning_rate"]) == {1.0}


def test_parquet_and_csv_say_the_same(sweep, tmp_path):
    evidence = load_sweep(sweep)
    names = {path.name for path in write_tables(evidence, tmp_path)}
    assert names == {"results.parquet", "results.csv", "tuning.parquet", "tuning.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in ("results", "tuning"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"{name}.parquet"),
            pd.read_csv(tmp_path / f"{name}.csv"),
            check_dtype=False,
        )


def test_plain_runs_have_no_tuning_table(make_run, tmp_path):
    written = write_tables(load_runs([make_run("a", "sum")]), tmp_path)
    assert [path.name for path in written] == ["results.parquet", "results.csv"]

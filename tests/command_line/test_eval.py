"""eval.py and load(): a finished run says again, exactly, what training said of it."""

import csv
import json

import numpy as np
import pytest

import training


def test_every_split_gives_exactly_the_numbers_of_training(trained, command):
    workdir, _ = trained
    results = json.loads((workdir / "results.json").read_text())
    for split in ("test", "validation"):
        done = command("eval.py", f"--workdir={workdir}", f"--split={split}")
        assert done.returncode == 0, done.stderr
        evaluated = json.loads((workdir / f"eval_{split}.json").read_text())
        assert evaluated["metrics"] == results["metrics"][split]
        assert f"{evaluated['metrics']['accuracy']['mean']:.4f}" in done.stdout


def test_the_config_finds_its_own_run(trained, command, small):
    workdir, _ = trained
    assert command("eval.py", *small, f"--workdir={workdir}").returncode == 0
    other = command("eval.py", *small, "--config.model.dim=9", f"--workdir={workdir}")
    assert other.returncode == 1
    assert "another config (model.dim: 8 there, 9 now)" in other.stderr


def test_predictions_hold_a_row_per_example_with_each_seed_and_their_mean(trained, command, tmp_path):
    workdir, _ = trained
    done = command("eval.py", f"--workdir={workdir}", f"--predictions={tmp_path / 'out.csv'}")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert rows[0]["id"].startswith("review ")
    seeds = np.asarray([[float(row[f"p_good_seed_{seed}"]) for seed in range(5)] for row in rows])
    mean = np.asarray([float(row["p_good_mean"]) for row in rows])
    np.testing.assert_allclose(seeds.mean(axis=1), mean, atol=1e-5)
    labels = np.asarray([row["label"] == "good" for row in rows])
    accuracy = json.loads((workdir / "results.json").read_text())["metrics"]["test"]["accuracy"]["per_seed"]
    np.testing.assert_allclose(((seeds > 0.5) == labels[:, None]).mean(axis=0), accuracy)


def test_a_file_of_the_users_is_evaluated_or_if_unlabelled_predicted(trained, command, tmp_path):
    workdir, _ = trained
    (tmp_path / "new.csv").write_text("name,text,label\na,a fine warm film,good\nb,dull and flat,bad\n")
    labelled = command("eval.py", f"--workdir={workdir}", f"--config.data.path_test={tmp_path / 'new.csv'}")
    assert labelled.returncode == 0, labelled.stderr
    evaluated = json.loads((workdir / "eval_file.json").read_text())
    assert evaluated["metrics"]["accuracy"]["per_seed"] == [1.0] * 5

    (tmp_path / "bare.csv").write_text("text\na fine warm film\n")
    file = f"--config.data.path_test={tmp_path / 'bare.csv'}"
    refused = command("eval.py", f"--workdir={workdir}", file)
    assert refused.returncode == 1
    assert "has no targets to evaluate on (no column 'label')" in refused.stderr
    renamed = tmp_path / "renamed.csv"
    renamed.write_text("review,verdict\na fine warm film,good\n")
    columns = ["--config.data.text_column=review", "--config.data.label_column=verdict"]
    other = command("eval.py", f"--workdir={workdir}", f"--config.data.path_test={renamed}", *columns)
    assert other.returncode == 0, other.stderr
    predicted = command("eval.py", f"--workdir={workdir}", file, f"--predictions={tmp_path / 'p.csv'}")
    assert predicted.returncode == 0, predicted.stderr
    with (tmp_path / "p.csv").open(newline="") as rows:
        (row,) = csv.DictReader(rows)
    assert (row["id"], row["label"], row["prediction"]) == ("0", "", "good")


def test_a_run_predicts_from_python_without_its_data(trained):
    workdir, _ = trained
    run = training.load(workdir)
    texts = ["a fine warm film", "dull and flat", "words that were never seen", ""]
    mean, by_seed = run.predict(texts), run.predict(texts, per_seed=True)
    assert by_seed.shape == (5, 4, 2)
    np.testing.assert_allclose(by_seed.mean(axis=0), mean, rtol=1e-6)
    np.testing.assert_allclose(mean.sum(axis=1), 1, rtol=1e-5)
    assert [run.preprocessor.spec.classes[i] for i in mean[:2].argmax(axis=1)] == ["good", "bad"]
    as_rows = run.predict([{"text": text} for text in texts])
    np.testing.assert_array_equal(as_rows, mean)
    labelled = run.predict([{"text": text, "label": "no class at all"} for text in texts])
    np.testing.assert_array_equal(labelled, mean)
    assert run.predict([]).shape == (0, 2)
    with pytest.raises(ValueError, match="expects a sequence of rows"):
        run.predict("a fine warm film")


def test_a_prediction_does_not_depend_on_its_batch(trained):
    run = training.load(trained[0])
    alone = run.predict(["a fine warm film"])
    in_company = run.predict(["dull and flat"] * 300 + ["a fine warm film"])
    np.testing.assert_array_equal(in_company[-1], alone[0])


def test_data_that_changed_since_training_is_not_passed_off_as_the_same(
    command, small, tmp_path, reviews_csv
):
    copy = tmp_path / "copy.csv"
    copy.write_text(reviews_csv.read_text())
    workdir = tmp_path / "run"
    arguments = [*small, f"--config.data.path={copy}", "--config.train.epochs=1", f"--workdir={workdir}"]
    assert command("train.py", *arguments).returncode == 0
    copy.write_text(copy.read_text().replace(",good", ",bad", 30))
    done = command("eval.py", f"--workdir={workdir}")
    assert done.returncode == 1
    assert "has changed since" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which run? for example --workdir=runs/sentiment_sum"),
        (("--workdir={tmp}/nowhere",), "nowhere holds no run (config.json is missing)"),
        (("--workdir={run}", "--config.model.dim=9"), "model.dim cannot change after training"),
        (("--workdir={run}", "--config.data.pat_test=x"), "'data.pat_test' (did you mean 'data.path_test'?)"),
        (("--workdir={run}", "--config.data.path_test={tmp}/none.csv"), "none.csv"),
        (("--workdir={run}", "--predictions={tmp}/no/out.csv"), "there is no folder"),
        (("--workdir={run}", "--split=tset"), "tset"),
        (("--workdir={run}", "--split=test", "--config.data.path_test=x.csv"), "x.csv another file"),
        (("--workdir={run}", "--predictions={tmp}"), "is a folder; expected the name of a CSV file"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(trained, command, tmp_path, arguments, message):
    places = {"tmp": tmp_path, "run": trained[0]}
    done = command("eval.py", *(argument.format(**places) for argument in arguments))
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1

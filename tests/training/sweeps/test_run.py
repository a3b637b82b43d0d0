"""A sweep runs what is left of it, whatever happened before, and keeps what is done."""

import errno
import json

import filelock
import pytest

from configs.arguments import parse_argument
from configs.sweeps.base import ARGUMENTS, make_sweep
from training.sweeps import Engine, run_sweep
from training.sweeps.engines import is_disk_full
from training.sweeps.plan import make_plan
from training.sweeps.run import unfinished

LOCAL = Engine()


@pytest.fixture
def go(shared, tmp_path):
    """Runs a plan in one and the same workdir, which is returned."""

    def run(plan, workdir=tmp_path / "sweep"):
        run_sweep(plan, workdir, "python sweep.py", LOCAL, shared)
        return workdir

    return run


def test_every_arm_ends_with_its_results(make, go, table):
    rows = table(go(make("sum", "mean", "concat")))
    assert list(rows) == ["sum", "mean", "concat"]
    assert all(len(metrics["test"]["accuracy"]["per_seed"]) == 2 for _, metrics in rows.values())


def test_a_finished_trial_is_not_run_again_and_arms_may_be_added(make, go, table, attempts):
    first = table(go(make("sum")))
    workdir = go(make("sum", "mean"))
    assert attempts(workdir) == {"sum": 1, "mean": 1}
    assert table(workdir)["sum"] == first["sum"]


def test_a_failing_arm_is_recorded_and_does_not_stop_the_others(make, experiment, go, attempts, capsys):
    experiment.base.optimizer.name = "sgd"
    plan = make("sum", {"model.combiner": "mean", "model.embedding_scale": 1e38}, "max")
    workdir = go(plan)
    assert [arm.label for arm in unfinished(plan, workdir)] == ["mean embedding_scale=1e+38"]
    (failure,) = workdir.glob("trials/*/*/failed.json")
    assert "diverged" in json.loads(failure.read_text())["reason"]
    assert "1 failed, 0 left" in capsys.readouterr().err

    go(plan)
    assert attempts(workdir)[failure.parent.name] == 2, "a failed trial is tried again"
    assert attempts(workdir)["sum"] == 1


def test_another_sweep_is_refused_with_the_difference(make, experiment, go, table):
    workdir = go(make("sum"))
    experiment.base.train.epochs = 3
    with pytest.raises(ValueError, match=r"reviews\.base\.train\.epochs: 2 there, 3 now"):
        go(make("sum"))
    experiment.base.train.epochs = 2
    experiment.reference = "mean"
    changed = make("mean")
    with pytest.raises(ValueError, match="arm 'sum' of reviews: there, not now"):
        go(changed)
    assert set(table(workdir)) == {"sum"}


def test_a_folder_that_holds_something_else_is_refused(make, go, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else than a sweep"):
        go(make("sum"), tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        go(make("sum"), tmp_path / "notes.txt")


def test_a_sweep_that_is_running_is_not_run_twice(make, go, tmp_path):
    workdir = go(make("sum"))
    with filelock.FileLock(workdir / ".lock"), pytest.raises(ValueError, match="another process"):
        go(make("sum"))


def test_finished_trials_of_other_data_are_refused(make, go):
    workdir = go(make("sum"))
    path = workdir / "trials" / "reviews" / "sum" / "data.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "validation": "another digest"}))
    with pytest.raises(ValueError, match=r"the data \(validation\) has changed since the trial"):
        go(make("sum", "mean"))


def test_what_only_the_report_reads_may_change_the_claims_may_not(make, experiment, go):
    claim = {"sentence": "…", "test": "…", "expected": "supported", "checks": ()}
    go(make("sum", claims={"one": claim}))
    experiment.margin, experiment.title = 0.1, "Another title"
    workdir = go(make("sum", claims={"one": claim}))
    assert json.loads((workdir / "sweep.json").read_text())["experiments"]["reviews"]["margin"] == 0.1
    with pytest.raises(ValueError, match="claims: others were stated before these trials"):
        go(make("sum", claims={"one": {**claim, "expected": "refuted"}}))


def test_an_arm_that_cannot_even_be_prepared_is_recorded(make, go):
    plan = make("sum", "mean", "max")
    plan.arms[1].config.optimizer.name = "no such optimiser"  # past the checks of the plan
    workdir = go(plan)
    assert [arm.label for arm in unfinished(plan, workdir)] == ["mean"]
    assert "no such optimiser" in (workdir / plan.arms[1].folder / "failed.json").read_text()


def test_a_full_disk_is_recognised_through_what_it_caused():
    full = OSError(errno.ENOSPC, "No space left on device")
    caused = RuntimeError("could not save")
    caused.__cause__ = full
    assert is_disk_full(full)
    assert is_disk_full(caused)
    assert is_disk_full(RuntimeError("write: No space left on device"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(None)


def test_several_experiments_share_a_sweep(experiment, shared, go, table):
    other = experiment.copy_and_resolve_references()
    other.base.model.dim = 4
    arms = [{"experiment": name, "model.combiner": "sum", "label": name} for name in ("wide", "narrow")]
    experiment.reference, other.reference = "wide", "narrow"
    config = make_sweep("two", {"wide": experiment, "narrow": other}, parse_argument(None, **ARGUMENTS))
    workdir = go(make_plan(config, arms, shared))
    assert set(table(workdir)) == {"wide", "narrow"}
    sizes = {
        path.parts[-4]: json.loads(path.read_text())["combined_width"]
        for path in workdir.glob("trials/*/*/final/results.json")
    }
    assert sizes == {"wide": 8, "narrow": 4}

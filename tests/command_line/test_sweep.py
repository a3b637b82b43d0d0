"""sweep.py: from one command to a report, whatever interrupts it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import ROOT

SMOKE = "--config=configs/sweeps/sentiment_combiners.py:smoke"


@pytest.fixture(scope="session")
def small_sweep(reviews_csv):
    """The arguments of a sweep of three combiners on small reviews: long enough to be interrupted."""
    base = "--config.experiments.sentiment.base"
    return [
        SMOKE,
        f"{base}.data.path={reviews_csv}",
        f"{base}.model.dim=8",
        f"{base}.train.epochs=10",
        f"{base}.train.patience=10",
        f"{base}.train.batch_size=8",
        f"{base}.train.checkpoint_seconds=0.0",
    ]


def results_of(workdir):
    """Returns what every trial of a sweep came to, times aside."""
    content = {}
    for path in sorted(workdir.glob("trials/*/*/final/results.json")):
        results = json.loads(path.read_text())
        tuning = json.loads((path.parents[1] / "tuning.json").read_text())
        content[path.parts[-3]] = (
            results["metrics"],
            results["best_epoch"],
            tuning["scores"],
            tuning["chosen"],
        )
    return content


def attempts_of(workdir):
    return {
        path.parent.name: len(path.read_text().splitlines())
        for path in workdir.glob("trials/*/*/attempts.jsonl")
    }


@pytest.fixture(scope="session")
def undisturbed(command, small_sweep, tmp_path_factory):
    """A finished sweep: (workdir, what the command printed)."""
    workdir = tmp_path_factory.mktemp("sweeps") / "undisturbed"
    done = command("sweep.py", *small_sweep, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir, done


def interrupt(environment, arguments, workdir, number):
    """Starts a sweep, sends it a signal while its second trial is trained, and returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, "sweep.py", *arguments, f"--workdir={workdir}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while process.poll() is None:
        finished = len(list(workdir.glob("trials/*/*/final/results.json")))
        begun = len({path.parents[2] for path in workdir.glob("trials/*/*/tuning/*/metrics.jsonl")})
        if finished >= 1 and begun >= 2:
            process.send_signal(number)
            break
        time.sleep(0.02)
    process.communicate(timeout=120)
    return process.returncode


def test_a_sweep_ends_in_a_report_with_a_decision(undisturbed):
    workdir, done = undisturbed
    assert len(results_of(workdir)) == 3
    assert "written:" in done.stdout
    assert (workdir / "report.html").exists()
    assert "3/3" in done.stderr
    assert json.loads((workdir / "sweep.json").read_text())["command"].startswith("python sweep.py --config=")


def test_the_same_command_runs_nothing_again(command, small_sweep, undisturbed):
    workdir, _ = undisturbed
    before = attempts_of(workdir)
    again = command("sweep.py", *small_sweep, f"--workdir={workdir}", "--noreport")
    assert again.returncode == 0
    assert "3 of 3 trials were finished before" in again.stderr
    assert attempts_of(workdir) == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_was_interrupted_comes_to_the_same_table(
    command, environment, small_sweep, undisturbed, tmp_path, number
):
    code = interrupt(environment, small_sweep, tmp_path / "sweep", number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    finished = set(results_of(tmp_path / "sweep"))
    assert 1 <= len(finished) < 3
    again = command("sweep.py", *small_sweep, f"--workdir={tmp_path / 'sweep'}", "--noreport")
    assert again.returncode == 0, again.stderr
    assert results_of(tmp_path / "sweep") == results_of(undisturbed[0])
    assert all(attempts_of(tmp_path / "sweep")[label] == 1 for label in finished), (
        "no finished trial ran twice"
    )


def test_a_sweep_on_ray_that_was_killed_comes_to_the_same_table(
    command, environment, small_sweep, undisturbed, tmp_path
):
    pytest.importorskip("ray")
    arguments = [*small_sweep, "--engine=ray", "--num_cpus=2"]
    assert interrupt(environment, arguments, tmp_path / "sweep", signal.SIGKILL) == -signal.SIGKILL
    finished = set(results_of(tmp_path / "sweep"))
    again = command("sweep.py", *arguments, f"--workdir={tmp_path / 'sweep'}", "--noreport")
    assert again.returncode == 0, again.stderr
    assert results_of(tmp_path / "sweep") == results_of(undisturbed[0])
    assert all(attempts_of(tmp_path / "sweep")[label] == 1 for label in finished)


def test_a_dry_run_prints_the_plan_and_leaves_nothing(command, small_sweep, tmp_path):
    done = command("sweep.py", *small_sweep, f"--workdir={tmp_path / 'sweep'}", "--dry_run")
    assert done.returncode == 0, done.stderr
    assert "sum, mean, sqrtn" in done.stdout
    assert "3 of 3 trials left, at most" in done.stdout
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/sentiment_sum.py"], "has no sweep()"),
        ([SMOKE, "--config.experiments.sentiment.base.model.dimm=3"], "unknown config field"),
        ([f"{SMOKE},combiners=sum+summ+meen"], "meen"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_runs(
    command, reviews_csv, tmp_path, arguments, message
):
    done = command("sweep.py", *arguments, f"--workdir={tmp_path / 'sweep'}")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert not (tmp_path / "sweep").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_stops_the_sweep_in_one_line_and_it_goes_on_with_room(command, small_sweep, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = command("sweep.py", *small_sweep, f"--workdir={disk / 'sweep'}", "--noreport")
        assert done.returncode == 1
        # The thread of the event writer may still complain of the same after it.
        assert any(
            line.startswith("error: ") and "no space left" in line for line in done.stderr.splitlines()
        )
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        done = command("sweep.py", *small_sweep, f"--workdir={disk / 'sweep'}", "--noreport")
        assert done.returncode == 0, done.stderr
        assert len(results_of(disk / "sweep")) == 3
    finally:
        subprocess.run(["umount", disk], check=True)

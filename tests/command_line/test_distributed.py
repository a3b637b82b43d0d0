"""train.py in two processes: the results of one, and a clear end where one of them is lost."""

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from .conftest import ROOT


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def arguments(small):
    """A small run of four seeds, long enough to be caught in the middle, with a checkpoint after every epoch."""
    seeds = ["--config.seeds=(0,1,2,3)", "--config.train.checkpoint_seconds=0"]
    return [*small, *seeds, "--config.train.epochs=20", "--config.train.patience=20"]


@pytest.fixture(scope="module")
def cheap(environment):
    """The environment of processes that compile much and compute little."""
    return {**environment, "XLA_FLAGS": "--xla_backend_optimization_level=0"}


@pytest.fixture
def start(cheap):
    """Starts two processes of a run, and ends them when the test does."""
    started = []

    def run(*arguments):
        address = f"127.0.0.1:{free_port()}"
        several = [f"--coordinator={address}", "--num_processes=2", "--lost_after=20"]
        for number in range(2):
            command = [sys.executable, "train.py", *arguments, *several, f"--process_id={number}"]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            started.append(subprocess.Popen(command, cwd=ROOT, env=cheap, **pipes))
        return started[-2:]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for_epochs(workdir, count):
    metrics, deadline = workdir / "metrics.jsonl", time.monotonic() + 200
    while not metrics.exists() or metrics.read_text().count("\n") < 2 * count:
        assert time.monotonic() < deadline, "the run does not get that far"
        time.sleep(0.01)


def outcome(workdir):
    results = json.loads((workdir / "results.json").read_text())
    return results["metrics"], (workdir / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def undisturbed(command, cheap, arguments, tmp_path_factory):
    """What one process comes to."""
    workdir = tmp_path_factory.mktemp("one") / "run"
    done = command("train.py", *arguments, f"--workdir={workdir}", **cheap)
    assert done.returncode == 0, done.stderr
    return outcome(workdir)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_other_and_started_again_both_come_to_the_results_of_one(
    start, arguments, tmp_path, undisturbed, lost
):
    workdir = tmp_path / "run"
    arguments = [*arguments, f"--workdir={workdir}"]
    processes = start(*arguments)
    wait_for_epochs(workdir, 3)
    processes[lost].send_signal(signal.SIGKILL)
    _, errors = processes[1 - lost].communicate(timeout=100)
    assert processes[1 - lost].returncode == 1
    assert errors.splitlines()[-1].startswith("error: another process of this run was lost")
    assert not (workdir / "results.json").exists(), "it was caught in the middle"

    first, second = start(*arguments)
    printed, errors = first.communicate(timeout=200)
    assert first.returncode == 0, errors
    assert str(workdir / "results.json") in printed
    silent, errors = second.communicate(timeout=100)
    assert second.returncode == 0, errors
    assert "results.json" not in silent, "the first one speaks for both"
    assert outcome(workdir) == undisturbed


def test_a_stop_that_one_process_is_asked_for_stops_both_and_is_no_loss(start, arguments, tmp_path):
    workdir = tmp_path / "run"
    processes = start(*arguments, f"--workdir={workdir}")
    wait_for_epochs(workdir, 2)
    processes[1].send_signal(signal.SIGTERM)
    for process in processes:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 130
        assert "the same command goes on from there" in errors


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--process_id=0"], "--coordinator, --num_processes missing"),
        (["--coordinator=here", "--process_id=0", "--num_processes=2"], "--coordinator must be HOST:PORT"),
        (
            ["--coordinator=a:1", "--process_id=2", "--num_processes=2"],
            "--process_id must lie in [0, 2), got 2",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(command, small, tmp_path, given, said):
    done = command("train.py", *small, *given, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1

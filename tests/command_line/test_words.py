"""Word vectors from the command line: from a text file to vectors, numbers and neighbours; bad input in one line."""

import json

import numpy as np
import pytest

TOPICS = (("apple", "pear", "plum", "cherry"), ("hammer", "saw", "drill", "file"))
SMALL = [
    "--config=configs/skip_gram.py",
    "--config.seeds=(0,)",
    "--config.data.subsample=0.0",
    "--config.model.dim=8",
    "--config.train.step_words=256",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text of two topics and judgements on its words, beside texts that cannot be learnt from."""
    folder = tmp_path_factory.mktemp("texts")
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(TOPICS[number % 2], 6)) for number in range(1500)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    pairs = [
        f"{a},{b},{int(a in t and b in t)}" for t in TOPICS for a in t for u in TOPICS for b in u if a < b
    ]
    (folder / "judged.csv").write_text("\n".join(sorted(set(pairs))) + "\n")
    (folder / "empty.txt").write_text("\n \n")
    (folder / "one.txt").write_text("word word word word word word\n" * 20)
    (folder / "rare.txt").write_text("every word of this text is rare\n")
    (folder / "broken.txt").write_bytes(b"fine\n\xff\xfe\x00\n")
    return folder


def test_from_a_text_to_vectors_their_numbers_and_neighbours(command, folder, tmp_path):
    workdir = tmp_path / "run"
    done = command(
        "train.py",
        *SMALL,
        f"--config.data.path={folder / 'text.txt'}",
        f"--config.data.dir={tmp_path}",
        f"--config.data.word_pairs=('{folder / 'judged.csv'}',)",
        f"--workdir={workdir}",
    )
    assert done.returncode == 0, done.stderr
    assert "words/s over all seeds" in done.stdout
    results = json.loads((workdir / "results.json").read_text())
    assert results["metrics"]["test"]["judged"]["mean"] > 0.7

    done = command("eval.py", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert json.loads((workdir / "eval_test.json").read_text())["metrics"] == results["metrics"]["test"]

    done = command(
        "analyze.py",
        "--config=configs/nearest.py",
        f"--config.vectors={workdir}",
        "--config.queries=apple + pear",
        "--config.k=2",
    )
    assert done.returncode == 0, done.stderr
    assert "plum" in done.stdout
    assert "cherry" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.data.path={0}/empty.txt"], "empty.txt"),
        (["--config.data.path={0}/one.txt"], "one.txt"),
        (["--config.data.path={0}/rare.txt"], "rare.txt"),
        (["--config.data.path={0}/broken.txt"], "broken.txt, line 2"),
        (["--config.data.path={0}/txet.txt"], "text.txt"),
        (["--config.data.name=english/ful"], "did you mean 'english/full'?"),
        (["--config.data.path={0}/text.txt", "--config.model.window=16"], "model.block"),
        (["--config.data.path={0}/text.txt", "--config.data.word_pairs=('mne',)"], "did you mean 'men'?"),
    ],
    ids=[
        "empty",
        "one word",
        "nothing frequent",
        "no text",
        "missing",
        "unknown name",
        "window",
        "judgements",
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_leaves_no_trace(
    command, folder, tmp_path, arguments, message
):
    arguments = [argument.format(folder) for argument in arguments]
    workdir = tmp_path / "run"
    done = command("train.py", *SMALL, *arguments, f"--config.data.dir={tmp_path}", f"--workdir={workdir}")
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not workdir.exists()

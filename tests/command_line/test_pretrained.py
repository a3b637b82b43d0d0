"""Word vectors from the command line: what came of them is said, and what cannot be ends in one clear line."""

import json

import pytest

VECTORS = "4 3\nthe 1 0 2\nfine 0.5 -1 0\nsuperb 1 1 1\ndull -1 0 0\n"


def test_a_run_from_vectors_says_how_many_words_have_one_and_is_evaluated_without_them(
    command, small, tmp_path
):
    path = tmp_path / "vectors.txt"
    path.write_text(VECTORS)
    arguments = [
        *small,
        "--config.model.dim=3",
        f"--config.model.pretrained={path}",
        "--config.model.pretrained_mode=frozen",
        f"--config.data.extra_vocabulary={path}",
        "--config.train.epochs=1",
        f"--workdir={tmp_path / 'run'}",
    ]
    done = command("train.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert "frozen: 4 of 17 words have a vector; of the running words" in done.stdout
    path.unlink()
    done = command("eval.py", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    evaluation = json.loads((tmp_path / "run" / "eval_test.json").read_text())
    assert evaluation["metrics"] == results["metrics"]["test"]


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (
            VECTORS.replace("-1 0\n", "-1\n"),
            [],
            "vectors.txt, line 3: expected a word and 3 numbers, found 2",
        ),
        (VECTORS, [], "has vectors of 3 numbers, but embeddings of 'sum' have 8"),
        (None, [], "vectors.txt: no such file (did you mean 'vectors.text'?)"),
        (
            None,
            ["--config.model.pretraind=x"],
            "unknown config field 'model.pretraind' (did you mean 'model.pretrained'?)",
        ),
    ],
)
def test_what_cannot_be_ends_in_one_line(command, small, tmp_path, content, fields, message):
    path = tmp_path / "vectors.txt"
    (path if content else tmp_path / "vectors.text").write_text(content or VECTORS)
    arguments = [*small, *fields, f"--config.model.pretrained={path}", f"--workdir={tmp_path / 'run'}"]
    done = command("train.py", *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()

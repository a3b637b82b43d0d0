"""train.py --profile, and the programs that are kept from one command to the next."""

import json

SHORT = ["--config.train.epochs=3", "--config.seeds=0,1"]


def results_of(workdir):
    return json.loads((workdir / "results.json").read_text())


def test_a_profile_says_where_the_time_goes_and_changes_nothing(command, small, tmp_path):
    plain = command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'plain'}")
    assert plain.returncode == 0, plain.stderr
    done = command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'run'}", "--profile")
    assert done.returncode == 0, done.stderr
    for words in ("where a step's", "optimiser", "ms per step", "share", "ui.perfetto.dev", "TensorBoard"):
        assert words in done.stdout
    profile = json.loads((tmp_path / "run/profile/profile.json").read_text())
    assert abs(sum(row["share"] for row in profile["purposes"].values()) - 1) < 1e-6
    assert list((tmp_path / "run/profile").glob("plugins/profile/*/*.trace.json.gz"))
    assert results_of(tmp_path / "run")["metrics"] == results_of(tmp_path / "plain")["metrics"]

    again = command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'run'}", "--profile")
    assert again.stdout == done.stdout, "a finished run keeps its profile"
    unprofiled = command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'plain'}", "--profile")
    assert "no profile: nothing was left to train" in unprofiled.stdout


def test_programs_are_kept_in_the_users_cache_folder_for_the_next_command(command, small, tmp_path):
    """The second run of the same programs adds none, and eval.py only reads and adds its own."""
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def kept():
        return {path.name for path in (tmp_path / "cache/combiner-ablations/compiled").glob("*-cache")}

    first = command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'a'}", **cache)
    assert first.returncode == 0, first.stderr
    programs = kept()
    assert programs
    assert command("train.py", *small, *SHORT, f"--workdir={tmp_path / 'b'}", **cache).returncode == 0
    assert kept() == programs
    assert command("eval.py", f"--workdir={tmp_path / 'b'}", **cache).returncode == 0
    assert kept() >= programs

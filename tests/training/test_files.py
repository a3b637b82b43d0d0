"""The files of a run: claimed, whole or absent, and the same after an interruption."""

import json
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tensorboardX.proto.event_pb2 import Event, SessionLog

from data.atomic import write_text
from training import workdir as files
from training.checkpoints import ResumeCheckpoints, restore_best, save_best
from training.metric_files import MetricFiles

CONFIG = {"model": {"combiner": "sum", "hidden": (8,), "combiner_options": {}}, "seeds": (0, 1)}


# --- The workdir ---


def test_the_default_workdir_is_named_after_the_config_and_its_overrides():
    assert files.name_workdir("configs/sentiment_sum.py", {}) == pathlib.Path("runs/sentiment_sum")
    changed = [
        files.name_workdir("configs/sentiment_sum.py", {"model.dim": 8}),
        files.name_workdir("configs/sentiment_sum.py", {"model.dim": 9}),
        files.name_workdir("configs/sentiment_sum.py:smoke", {}),
    ]
    assert len({*changed}) == 3
    assert all(path.name.startswith("sentiment_sum-") for path in changed)
    in_another_order = [{"a": 1, "b": 2}, {"b": 2, "a": 1}]
    assert len({files.name_workdir("c.py", overrides) for overrides in in_another_order}) == 1


def test_a_workdir_of_another_config_is_refused_with_the_difference(tmp_path):
    files.write_json(tmp_path / "config.json", CONFIG)
    other = {**CONFIG, "model": {**CONFIG["model"], "combiner": "mean", "combiner_options": {"p": 3}}}
    refused = pytest.raises(ValueError, match="holds the run of another config")
    with refused as error, files.claim_workdir(tmp_path, other):
        pass
    assert "model.combiner: 'sum' there, 'mean' now" in str(error.value)
    assert "model.combiner_options.p: None there, 3 now" in str(error.value)
    with files.claim_workdir(tmp_path, CONFIG):  # its own is welcome, tuples being the lists of the file
        pass


def test_one_process_at_a_time_trains_in_a_workdir(tmp_path):
    files.write_json(tmp_path / "config.json", CONFIG)
    second = pytest.raises(ValueError, match="another process is training here")
    with files.claim_workdir(tmp_path, CONFIG), second, files.claim_workdir(tmp_path, CONFIG):
        pass


def test_a_workdir_in_which_nothing_began_leaves_no_trace(tmp_path):
    workdir = tmp_path / "run"
    with pytest.raises(ValueError, match="bad data"), files.claim_workdir(workdir, CONFIG):
        raise ValueError("bad data")
    assert not workdir.exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half of this can be written \ud800")
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_a_broken_json_file_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"config\.json is not valid JSON"):
        files.read_json(tmp_path / "config.json")


# --- Metrics ---


def write_epochs(workdir, epochs, resumed_at=0):
    with MetricFiles(workdir, replicas=("seed_0", "seed_1"), epoch=resumed_at) as metric_files:
        for epoch in epochs:
            metrics = {"loss": np.asarray([1.0 / epoch, np.nan])}
            metric_files.write(step=10 * epoch, epoch=epoch, split="validation", metrics=metrics)


def test_metrics_are_one_valid_json_object_per_line(tmp_path):
    write_epochs(tmp_path, [1, 2])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[1] == {"step": 20, "epoch": 2, "split": "validation", "loss": [0.5, None]}


def read_events(path):
    """Reads what TensorBoard would: records of length, checksum, message, checksum."""
    content, events = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return events


def test_tensorboard_sees_each_replica_and_what_a_resumed_run_takes_back(tmp_path):
    write_epochs(tmp_path, [1, 2])
    (path,) = tmp_path.glob("events*")
    version, start, *scalars = read_events(path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (0, SessionLog.START)
    seen = [(event.step, value.tag, value.simple_value) for event in scalars for value in event.summary.value]
    assert seen == [(10, "loss/validation/seed_0", 1.0), (20, "loss/validation/seed_0", 0.5)], (
        "no mean with a NaN"
    )
    path.unlink()
    write_epochs(tmp_path, [2], resumed_at=1)
    (path,) = tmp_path.glob("events*")
    assert read_events(path)[1].step == 11, "TensorBoard hides steps from here on of the interrupted run"


def test_after_an_interruption_the_metrics_are_those_of_an_undisturbed_run(tmp_path):
    undisturbed, interrupted = tmp_path / "a", tmp_path / "b"
    for workdir in (undisturbed, interrupted):
        workdir.mkdir()
    write_epochs(undisturbed, [1, 2, 3, 4])
    write_epochs(interrupted, [1, 2, 3])
    with (interrupted / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "epo')  # killed in the middle of a line, and the last checkpoint was epoch 2
    write_epochs(interrupted, [3, 4], resumed_at=2)
    assert (interrupted / "metrics.jsonl").read_text() == (undisturbed / "metrics.jsonl").read_text()


# --- Checkpoints ---


def some_state():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    return {"params": nnx.state(model), "step": jnp.int32(7), "score": jnp.float32(-jnp.inf)}


def assert_equal_states(a, b):
    np.testing.assert_array_equal(a["params"]["kernel"][...], b["params"]["kernel"][...])
    assert int(a["step"]) == int(b["step"])
    assert float(a["score"]) == float(b["score"])


def test_the_newest_checkpoint_comes_back_bit_for_bit(tmp_path):
    state = some_state()
    with ResumeCheckpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(state) is None
        checkpoints.save(1, {**state, "step": jnp.int32(1)}, {"train_seconds": 1.0})
        checkpoints.save(2, state, {"train_seconds": 2.5})
    with ResumeCheckpoints(tmp_path) as checkpoints:
        restored, progress = checkpoints.restore(state)
        assert_equal_states(restored, state)
        assert progress == {"train_seconds": 2.5}
        checkpoints.delete()
    assert not (tmp_path / "checkpoints" / "resume").exists()


def test_what_a_kill_left_half_written_is_not_a_checkpoint(tmp_path):
    state = some_state()
    with ResumeCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, {})
    half = tmp_path / "checkpoints" / "resume" / "2.orbax-checkpoint-tmp"
    half.mkdir()
    (half / "state").write_text("nothing yet")
    with ResumeCheckpoints(tmp_path) as checkpoints:
        assert_equal_states(checkpoints.restore(state)[0], state)


def test_the_best_parameters_replace_what_an_interrupted_attempt_left(tmp_path):
    state = some_state()
    save_best(tmp_path, {**state, "step": jnp.int32(1)})
    save_best(tmp_path, state)
    assert_equal_states(restore_best(tmp_path, state), state)


def test_a_run_from_before_rows_were_updated_alone_goes_on_with_dense_updates(config):
    now = json.loads(json.dumps(config.to_dict()))  # as it is read again
    before = {**now, "optimizer": {k: v for k, v in now["optimizer"].items() if k != "sparse"}}
    assert files.describe_difference(before, now) == "optimizer.sparse: 'off' there, 'auto' now"
    now["optimizer"]["sparse"] = "off"
    assert files.describe_difference(before, now) == ""

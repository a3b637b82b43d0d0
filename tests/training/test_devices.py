"""Eight simulated devices come to the results of one, however replicas, batches and tables lie on them."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parent / "eight_devices.py"


@pytest.fixture(scope="module")
def found(reviews_csv, tmp_path_factory):
    """What the trainings of eight_devices.py came to: a process of its own has eight devices."""
    target = tmp_path_factory.mktemp("devices") / "results.json"
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, SCRIPT, reviews_csv, target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(target.read_text())


def test_the_replicas_stop_at_different_epochs(found):
    assert len(set(found["one"]["epochs"])) > 1, (
        "else nothing shows that a device waits for no other's replicas"
    )


def test_replicas_on_four_devices_equal_those_on_one_bit_for_bit(found):
    assert found["replicas"]["best_params"] == found["one"]["best_params"]
    assert found["replicas"]["losses"] == found["one"]["losses"]


@pytest.mark.parametrize("name", ["alone", "batch", "rows", "resumed", "streamed"])
def test_other_layouts_equal_one_device_to_rounding(found, name):
    """Divided sums are added in another order, and tables are updated by row here, which to rounding is the same."""
    assert_equal_to_rounding(found[name], found["one"])


@pytest.mark.parametrize("name", ["trimmed", "trimmed rows"])
def test_a_batch_divided_over_devices_may_be_trimmed_to_its_length(found, name):
    assert_equal_to_rounding(found[name], found["one, trimmed"])
    assert found["one, trimmed"]["losses"] != found["one"]["losses"], (
        "batches of like lengths are other batches"
    )


def test_a_gru_maps_the_words_of_its_share_of_a_batch_and_sends_no_other_device_what_comes_out(found):
    assert_equal_to_rounding(found["gru"], found["one, gru"])
    gates, batch = 3 * 4, 32
    assert any(gates in shape for shape in found["gru"]["exchanged"]), "gradients"
    assert not any({gates, batch} <= set(shape) for shape in found["gru"]["exchanged"])


def assert_equal_to_rounding(several, one):
    assert several["epochs"] == one["epochs"]
    np.testing.assert_allclose(several["losses"], one["losses"], atol=3e-6)
    for parameter, values in one["best_params"].items():
        np.testing.assert_allclose(several["best_params"][parameter], values, atol=3e-6, err_msg=parameter)


def test_a_resumed_training_equals_an_undisturbed_one_bit_for_bit(found):
    assert found["resumed"] == {name: found["rows"][name] for name in found["resumed"]}


def test_every_device_has_its_share_of_replicas_and_rows(found):
    for name, (replicas, rows) in {
        "alone": (8, 1),
        "replicas": (4, 1),
        "batch": (4, 1),
        "rows": (2, 2),
    }.items():
        for array, (whole, share) in found[name]["shards"].items():
            if len(whole) == 1:
                assert share == whole, f"{array}: the numbers of all replicas are everywhere"
                continue
            assert share[0] == whole[0] // replicas, array
            if "table" in array:
                assert share[1] == whole[1] // rows, array


def test_tables_get_rows_enough_to_be_divided_and_lose_them_again(found):
    table = "['embedding']['table'].value"
    assert found["rows"]["shards"][f".best_params{table}"] == [[8, 18, 4], [4, 9, 4]]
    assert np.shape(found["rows"]["best_params"][table]) == (8, 17, 4)


def test_no_device_is_sent_a_whole_table(found):
    exchanged = found["rows"]["exchanged"]
    assert any(16 * 11 in shape for shape in exchanged), "the rows that half a batch looks up"
    assert not any(size in (17, 18) for shape in exchanged for size in shape)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "devices",
            "engine.mesh = {replicas: 3, batch: 1, rows: 1} takes 3 devices, which do not divide the 8 there are",
        ),
        (
            "too many",
            "engine.mesh = {replicas: 8, batch: 2, rows: 1} takes 16 devices, which do not divide the 8 there are",
        ),
        ("replicas", "engine.mesh.replicas=8 does not divide the 6 replicas that train together"),
        ("batch", "engine.mesh.batch=4 does not divide train.batch_size=30"),
        ("no rows", "engine.mesh.rows must be at least 1, got 0"),
        (
            "one after the other",
            "engine.replicas=map goes with engine.mesh.batch=1 and engine.mesh.rows=1 only",
        ),
    ],
)
def test_a_mesh_that_cannot_be_is_refused(found, name, said):
    assert found["refused"][name].startswith(said)

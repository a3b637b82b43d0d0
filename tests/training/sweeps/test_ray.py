"""Ray gives the results that this process gives, and survives the death of a node, on a real cluster of two."""

import threading
import time

import pytest

from training.sweeps import Engine, SharedData, run_sweep
from training.sweeps.engines import check_answers, check_room
from training.sweeps.run import unfinished

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.filterwarnings("default")  # what Ray's own processes warn of is not ours


@pytest.fixture
def cluster():
    """A head, and two nodes with room for one trial each."""
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=10**8)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def kill_a_node(cluster):
    """Returns a function that kills a node as soon as two trials have begun in a workdir; {"killed": it} tells."""
    state = {"killed": None}
    stop = threading.Event()
    watchers = []

    def watch(workdir):
        while not stop.is_set():
            if len(list(workdir.glob("trials/*/*/attempts.jsonl"))) >= 2:
                state["killed"] = sorted(cluster.worker_nodes, key=id)[0]
                cluster.remove_node(state["killed"], allow_graceful=False)
                return
            time.sleep(0.1)

    def begin(workdir):
        watchers.append(threading.Thread(target=watch, args=[workdir]))
        watchers[0].start()
        return state

    yield begin
    stop.set()
    watchers[0].join()


def test_ray_gives_the_results_of_this_process_though_a_node_dies_and_an_arm_fails(
    make, experiment, shared, cluster, kill_a_node, table, attempts, tmp_path
):
    experiment.base.optimizer.name = "sgd"  # diverges where it starts out of bounds
    failing = {"model.combiner": "mean", "model.embedding_scale": 1e38, "label": "fails"}
    plan = make("sum", "max", failing, "concat")
    run_sweep(plan, tmp_path / "local", "python sweep.py", Engine(), shared)

    node = kill_a_node(tmp_path / "ray")
    engine = Engine("ray", address=cluster.address)
    run_sweep(plan, tmp_path / "ray", "python sweep.py --engine=ray", engine, SharedData())

    assert node["killed"] is not None
    for workdir in (tmp_path / "local", tmp_path / "ray"):
        assert [arm.label for arm in unfinished(plan, workdir)] == ["fails"]
        assert "diverged" in (workdir / plan.arms[2].folder / "failed.json").read_text()
    assert table(tmp_path / "ray") == table(tmp_path / "local")
    assert sum(attempts(tmp_path / "ray").values()) > 4, "the trial of the dead node was begun again"


def test_a_cluster_that_happens_to_run_here_is_not_joined(make, shared, cluster, tmp_path):
    plan = make("sum")
    run_sweep(plan, tmp_path, "python sweep.py --engine=ray", Engine("ray", num_cpus=2.0), shared)
    assert not unfinished(plan, tmp_path), "no node of that cluster has two CPUs"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", ""])
def test_an_address_where_no_cluster_answers_is_refused(address):
    with pytest.raises(ValueError, match=f"no Ray cluster answers at --ray_address='{address}'"):
        check_answers(address)


def test_a_trial_that_takes_more_than_any_node_has_is_refused():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 1.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 8.0}},
    ]
    check_room(nodes, 8.0, 0.0)
    check_room(nodes, 1.0, 0.5)
    with pytest.raises(
        ValueError, match="no node of the cluster has --num_cpus=8 and --num_gpus=1: it has 8 CPUs"
    ):
        check_room(nodes, 8.0, 1.0)

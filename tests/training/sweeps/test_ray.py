"""Ray gives the results that this process gives, and survives the death of a node, on a real cluster of two."""

import pathlib
import time

import pytest

from training.sweeps import Engine, SharedData, run_sweep
from training.sweeps.run import unfinished

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.filterwarnings("default")  # what Ray's own processes warn of is not ours


@pytest.fixture
def cluster():
    """Two nodes beside the head, each with room for one trial."""
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    cluster.nodes = [cluster.add_node(num_cpus=1, object_store_memory=10**8) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_ray_gives_the_same_results_as_this_process_though_a_node_dies(
    make, shared, cluster, table, attempts, tmp_path
):
    plan = make("sum", "mean", "max", "concat")
    run_sweep(plan, tmp_path / "local", "python sweep.py", Engine(), shared)

    killed = []

    def kill_a_node_once_a_trial_is_under_way(progress=iter(range(1))):
        del progress
        if not killed and len(list((tmp_path / "ray").glob("trials/*/*/attempts.jsonl"))) >= 2:
            killed.append(cluster.nodes[0])
            cluster.remove_node(cluster.nodes[0], allow_graceful=False)

    engine = Engine("ray", address=cluster.address)
    import threading

    stop = threading.Event()

    def watch():
        while not stop.is_set() and not killed:
            kill_a_node_once_a_trial_is_under_way()
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run_sweep(plan, tmp_path / "ray", "python sweep.py --engine=ray", engine, SharedData())
    finally:
        stop.set()
        watcher.join()
    assert killed, "no node was killed"
    assert unfinished(plan, tmp_path / "ray") == []
    assert table(tmp_path / "ray") == table(tmp_path / "local")
    assert sum(attempts(tmp_path / "ray").values()) > 4, "the trial of the dead node was begun again"
    assert pathlib.Path(tmp_path / "ray" / "sweep.json").exists()

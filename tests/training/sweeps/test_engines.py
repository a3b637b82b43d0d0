"""Where trials run: while one trains, the next one is compiled."""

import threading

from training.sweeps import engines
from training.sweeps.progress import SweepProgress


def test_while_one_arm_trains_the_next_is_prepared_in_another_thread(make, shared, tmp_path, monkeypatch):
    plan = make("sum", "mean")
    prepared = {arm.folder: threading.Event() for arm in plan.arms}
    threads, waited = set(), []

    def prepare(arm, _):
        threads.add(threading.current_thread())
        prepared[arm.folder].set()
        return arm

    def run_trial(arm, folder, shared, *, programs, bar):
        assert programs is arm
        assert threading.current_thread() is threading.main_thread()
        if arm is plan.arms[0]:
            waited.append(prepared[plan.arms[1].folder].wait(timeout=60))

    monkeypatch.setattr(engines, "prepare", prepare)
    monkeypatch.setattr(engines, "run_trial", run_trial)
    with SweepProgress(2, 0) as progress:
        engines.run_local(plan.arms, tmp_path, progress, shared)
    assert waited == [True], "the second arm was only prepared after the first had trained"
    assert threading.main_thread() not in threads

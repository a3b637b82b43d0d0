"""Checkpoints of a run, written by Orbax: the running state while it trains, the best parameters when it is done.

WORKDIR/checkpoints/resume/<epoch>/   state and progress after an epoch; only the newest; gone when the run is done
WORKDIR/checkpoints/best/             what eval.py and load() read: parameters of each seed's best epoch

Orbax writes into a temporary folder and renames it, so a kill at any time leaves the previous checkpoint whole.
"""

import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


class ResumeCheckpoints:
    """The newest state of a run that is not done yet. Use as a context manager."""

    def __init__(self, workdir: pathlib.Path):
        self._directory = workdir.absolute() / "checkpoints" / "resume"
        # Saves are synchronous: the engine donates the buffers of the state to the next epoch.
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False, create=True)
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    def __enter__(self) -> "ResumeCheckpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def save(self, epoch: int, state: Any, progress: dict[str, Any]) -> None:
        """Saves the state (arrays) and the progress (JSON values) after an epoch."""
        items = {"state": ocp.args.StandardSave(state), "progress": ocp.args.JsonSave(progress)}
        self._manager.save(epoch, args=ocp.args.Composite(**items))

    def restore(self, abstract_state: Any) -> tuple[Any, dict[str, Any]] | None:
        """Returns the newest state and its progress; None if there is no checkpoint.

        Args:
          abstract_state: its shapes, with their shardings where there are several devices.
        """
        epoch = self._manager.latest_step()
        if epoch is None:
            return None
        items = {
            "state": ocp.args.StandardRestore(_placed(abstract_state)),
            "progress": ocp.args.JsonRestore(),
        }
        restored = self._manager.restore(epoch, args=ocp.args.Composite(**items))
        return restored.state, restored.progress

    def delete(self) -> None:
        """Removes the checkpoints of a run that is done."""
        self._manager.close()
        if jax.process_index() == 0:
            shutil.rmtree(self._directory)


def has_checkpoint(workdir: pathlib.Path) -> bool:
    """Returns whether a run that is not done yet has a state to go on from."""
    return any(path.name.isdigit() for path in (workdir / "checkpoints" / "resume").glob("*"))


def save_best(workdir: pathlib.Path, variables: Any) -> None:
    """Saves the best epoch's parameters of every seed, replacing what an interrupted attempt may have left."""
    if jax.process_count() > 1:  # each has all of them; the first writes them
        variables = jax.tree.map(np.asarray, variables)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(workdir.absolute() / "checkpoints" / "best", variables, force=True)


def restore_best(workdir: pathlib.Path, abstract_variables: Any) -> Any:
    """Returns what `save_best` saved, shaped as `abstract_variables`."""
    with ocp.StandardCheckpointer() as checkpointer:
        path = workdir.absolute() / "checkpoints" / "best"
        return checkpointer.restore(path, _placed(abstract_variables))


def _placed(tree: Any) -> Any:
    """Returns shapes with shardings: their own, or else that of the default device."""
    default = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding or default), tree
    )

"""Datasets that several arms share: each loaded once, and simple methods measured on it once."""

import collections
import json
import threading
from typing import Any

import data
from training.lifecycle import fingerprints
from training.pretrained import find_pretrained
from training.references import References, measure_references

KEEP = 4  # datasets in memory at a time


class SharedData:
    """Loads datasets and keeps the last few of them. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._datasets: collections.OrderedDict[str, data.Dataset] = collections.OrderedDict()
        self._references: dict[str, References] = {}
        self._fingerprints: dict[str, dict[str, str]] = {}

    def dataset(self, config: Any) -> data.Dataset:
        """Returns the dataset of a run's config."""
        key = _key(config)
        with self._lock:
            if key not in self._datasets:
                self._datasets[key] = data.load(config.task, config.data)
            self._datasets.move_to_end(key)
            while len(self._datasets) > KEEP:
                self._datasets.popitem(last=False)
            return self._datasets[key]

    def fingerprints(self, config: Any) -> dict[str, str]:
        """Returns {split: digest of its examples} of the dataset of a run's config, and that of pretrained vectors."""
        key = json.dumps(
            [_key(config), config.model.get("pretrained", ""), config.model.get("pretrained_vectors")]
        )
        with self._lock:
            if key not in self._fingerprints:
                dataset = self.dataset(config)
                vectors = find_pretrained(config, dataset)
                of_vectors = {"pretrained vectors": vectors.digest()} if vectors else {}
                self._fingerprints[key] = {**fingerprints(dataset), **of_vectors}
            return self._fingerprints[key]

    def references(self, config: Any) -> References:
        """Returns what simple methods reach on the dataset of a run's config."""
        key = _key(config)
        with self._lock:
            if key not in self._references:
                self._references[key] = measure_references(config.task, self.dataset(config))
            return self._references[key]


def _key(config: Any) -> str:
    return json.dumps([config.task, config.data.to_dict()], sort_keys=True)

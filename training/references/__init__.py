"""What simple methods get on the same splits, to hold a network's numbers against: one function per task."""

from collections.abc import Callable

import data

from .images import image_references
from .sentences import sentence_references
from .tables import table_references
from .texts import text_references

# {reference: {split: {metric: value}}} for the validation and test splits, and any others to test on
References = dict[str, dict[str, dict[str, float]]]

REFERENCES: dict[str, Callable[[data.Dataset], References]] = {
    "categorical": table_references,
    "mnist": image_references,
    "order": sentence_references,
    "sentiment": text_references,
}


def measure_references(task: str, dataset: data.Dataset) -> References:
    """Returns what is known of the data beforehand, and what the task's simple methods get."""
    return {**dataset.references, **REFERENCES[task](dataset)}

"""Simple methods on images: the majority class and the nearest class mean."""

import numpy as np

import data


def image_references(dataset: data.Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """Returns {reference: {split: {"accuracy"}}} for the validation and test splits.

    majority_class answers the most frequent training class; nearest_mean the class whose mean training image is
    nearest, in Euclidean distance of pixels.
    """
    train = dataset.splits["train"]
    counts = np.bincount(train.targets, minlength=dataset.spec.num_outputs)
    known = np.flatnonzero(counts)  # a small train_fraction may hold no image of a class
    of_class = (train.inputs["pixels"][train.targets == c] for c in known)
    means = np.stack([pixels.mean(axis=0, dtype=np.float64).ravel() for pixels in of_class])
    references: dict[str, dict[str, dict[str, float]]] = {"majority_class": {}, "nearest_mean": {}}
    for name in ("validation", "test"):
        split = dataset.splits[name]
        pixels = split.inputs["pixels"].reshape(len(split), -1).astype(np.float64)
        # |x − m|² = |x|² − 2 x·m + |m|², of which |x|² is the same for all classes.
        nearest = known[np.argmin(np.sum(means**2, axis=1) - 2 * pixels @ means.T, axis=1)]
        for reference, answers in (("majority_class", counts.argmax()), ("nearest_mean", nearest)):
            references[reference][name] = {"accuracy": float(np.mean(split.targets == answers))}
    return references

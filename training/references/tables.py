"""Simple methods on tables: the mean or the majority, linear models on one-hot features, gradient-boosted trees."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Shaped

import data

from .attempt import attempt

# Penalties tried on the validation split: of ridge as they are, of the logistic regression as 1 / penalty.
_PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_CLASS_PENALTIES = (0.1, 1.0, 10.0)
_MAX_TREE_CATEGORIES = 255  # as many as scikit-learn's trees tell apart without help
_HELD_OUT = ("validation", "test")

Answers = dict[str, Shaped[np.ndarray, "N"]]  # split -> what a method answers there


def table_references(dataset: data.Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """Returns {reference: {split: {metric: value}}} for the validation and test splits.

    Of numbers (rmse, mae, r2): `mean` answers the training mean; `ridge` is a linear model of one-hot features (a bag
    as how often each value is in it, numbers standardised, with a flag where they are missing), whose penalty is the
    best of eight on validation; `gradient_boosting` is scikit-learn's histogram gradient boosting with its own early
    stopping, to which fields of more than 255 categories come as their target encoding. Of classes (accuracy) the same
    with `majority_class` and `logistic_regression`, whose penalty is the best of three.
    """
    train = dataset.splits["train"]
    if dataset.spec.classes:
        constant = np.bincount(train.targets).argmax()
        answers = {"majority_class": _constant(dataset, constant)}
        linear, metrics = "logistic_regression", _class_metrics
    else:
        answers = {"mean": _constant(dataset, train.targets.mean(dtype=np.float64))}
        linear, metrics = "ridge", _number_metrics
    answers |= attempt(linear, lambda: _linear(dataset))
    answers |= attempt("gradient_boosting", lambda: _gradient_boosting(dataset))
    return {
        name: {split: metrics(by_split[split], dataset.splits[split].targets) for split in _HELD_OUT}
        for name, by_split in answers.items()
    }


def _constant(dataset: data.Dataset, value: Any) -> Answers:
    return {split: np.full(len(dataset.splits[split]), value) for split in _HELD_OUT}


def _number_metrics(answers: Shaped[np.ndarray, "N"], targets: Float32[np.ndarray, "N"]) -> dict[str, float]:
    errors = answers.astype(np.float64) - targets.astype(np.float64)
    variance = targets.astype(np.float64).var()
    return {
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "mae": float(np.mean(np.abs(errors))),
        "r2": float(1 - np.mean(errors**2) / variance) if variance > 0 else 0.0,
    }


def _class_metrics(answers: Shaped[np.ndarray, "N"], targets: Shaped[np.ndarray, "N"]) -> dict[str, float]:
    return {"accuracy": float(np.mean(answers == targets))}


def _linear(dataset: data.Dataset) -> Answers:
    """Fits a linear model per penalty; returns the answers of the one that is best on validation."""
    features = {name: _one_hot(dataset.spec, dataset.splits[name]) for name in ("train", *_HELD_OUT)}
    train, validation = dataset.splits["train"].targets, dataset.splits["validation"].targets
    if dataset.spec.classes:
        from sklearn.linear_model import LogisticRegression  # slow to import

        models = [
            LogisticRegression(C=1 / penalty, max_iter=1000).fit(features["train"], train).predict
            for penalty in _CLASS_PENALTIES
        ]
        errors = [np.mean(model(features["validation"]) != validation) for model in models]
    else:
        models = _ridge(features["train"], train.astype(np.float64))
        errors = [np.mean((model(features["validation"]) - validation) ** 2) for model in models]
    best = models[int(np.argmin(errors))]
    return {split: best(features[split]) for split in _HELD_OUT}


def _ridge(features: Any, targets: Float64[np.ndarray, "N"]) -> list[Callable[[Any], np.ndarray]]:
    """Returns a prediction function per penalty: the minimum of Σ (y − ŷ)² + penalty · |w|², the intercept spared.

    The products of features are added up once, after which a step of conjugate gradients does not go through the
    examples; each penalty starts from the solution of the one before. scikit-learn's sparse ridge gives the same
    numbers, and takes ten times as long for a grid of penalties.
    """
    from scipy.sparse import linalg

    num_examples, num_features = features.shape
    means = np.asarray(features.mean(axis=0)).ravel()
    products = (features.T @ features).tocsr()
    right = features.T @ targets - num_examples * means * targets.mean()
    diagonal = products.diagonal() - num_examples * means**2
    weights, models = np.zeros(num_features), []
    for penalty in reversed(_PENALTIES):
        shape = (num_features, num_features)
        matrix = linalg.LinearOperator(
            shape,
            lambda w, penalty=penalty: products @ w - num_examples * means * (means @ w) + penalty * w,
            dtype=np.float64,
        )
        scaling = linalg.LinearOperator(
            shape, lambda w, penalty=penalty: w / (diagonal + penalty), dtype=np.float64
        )
        weights, _ = linalg.cg(matrix, right, x0=weights, rtol=1e-6, maxiter=1000, M=scaling)
        intercept = targets.mean() - means @ weights
        models.append(lambda x, weights=weights, intercept=intercept: x @ weights + intercept)
    return models


def _one_hot(spec: data.Spec, split: data.Split) -> Any:
    """Returns a sparse matrix [N, features]: an indicator per category, counts of a bag's values, the numbers."""
    from scipy import sparse

    blocks = []
    for field, ids in _fields(spec, split):
        rows = np.repeat(np.arange(len(split)), ids.shape[1])
        present = (ids != 0).ravel() if field.max_values > 1 else np.ones(ids.size, bool)  # 0 pads a bag
        cells = (rows[present], ids.ravel()[present])
        blocks.append(
            sparse.csr_matrix((np.ones(len(cells[0]), np.float64), cells), shape=(len(split), field.num_rows))
        )
    if "numeric" in split.inputs:
        numbers = split.inputs["numeric"].astype(np.float64)
        missing = np.isnan(numbers)
        blocks += [sparse.csr_matrix(np.where(missing, 0, numbers)), sparse.csr_matrix(missing.astype(float))]
    return sparse.hstack(blocks, format="csr")


def _gradient_boosting(dataset: data.Dataset) -> Answers:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # scikit-learn's own

    columns, is_categorical = _tree_columns(dataset)
    cls = HistGradientBoostingClassifier if dataset.spec.classes else HistGradientBoostingRegressor
    model = cls(categorical_features=is_categorical, early_stopping=True, random_state=0)
    with threadpool_limits(1):  # where others compute on the machine, several threads wait for each other
        model.fit(columns["train"], dataset.splits["train"].targets)
        return {split: model.predict(columns[split]) for split in _HELD_OUT}


def _tree_columns(dataset: data.Dataset) -> tuple[dict[str, Float64[np.ndarray, "_ columns"]], list[bool]]:
    """Returns a dense matrix per split, and which columns are categories that the trees are to treat as such."""
    splits = {name: dataset.splits[name] for name in ("train", *_HELD_OUT)}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in splits}
    is_categorical: list[bool] = []
    for i, (field, _) in enumerate(_fields(dataset.spec, splits["train"])):
        ids = {name: _fields(dataset.spec, split)[i][1] for name, split in splits.items()}
        if field.max_values > 1:
            # Counts of the most frequent values: these have the lowest ids, 0 is padding.
            values = range(1, min(field.num_rows, _MAX_TREE_CATEGORIES + 1))
            encoded = {
                name: np.stack([(rows == value).sum(axis=1) for value in values], axis=1)
                for name, rows in ids.items()
            }
        elif field.num_rows > _MAX_TREE_CATEGORIES:
            encoded = _target_encoded(ids, splits["train"].targets, _target_type(dataset.spec))
        else:
            encoded = ids
        for name, columns in encoded.items():
            parts[name].append(columns)
        is_native = field.max_values == 1 and field.num_rows <= _MAX_TREE_CATEGORIES
        is_categorical += [is_native] * encoded["train"].shape[1]
    if "numeric" in splits["train"].inputs:
        for name, split in splits.items():
            parts[name].append(split.inputs["numeric"])
        is_categorical += [False] * splits["train"].inputs["numeric"].shape[1]
    return {name: np.hstack(columns).astype(np.float64) for name, columns in parts.items()}, is_categorical


def _target_encoded(
    ids: dict[str, Shaped[np.ndarray, "_ 1"]], targets: Shaped[np.ndarray, "N"], target_type: str
) -> dict[str, Float64[np.ndarray, "_ columns"]]:
    """Replaces each category by the shrunk mean of its targets; in training by that of the other four fifths."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    encoder = TargetEncoder(target_type=target_type).fit(ids["train"], targets)
    encoded = {name: encoder.transform(ids[name]) for name in _HELD_OUT}
    train = np.empty((len(targets), encoded["test"].shape[1]))
    for rest, part in KFold(5, shuffle=True, random_state=0).split(ids["train"]):
        fold = TargetEncoder(target_type=target_type).fit(ids["train"][rest], targets[rest])
        train[part] = fold.transform(ids["train"][part])
    return {**encoded, "train": train}


def _target_type(spec: data.Spec) -> str:
    return {0: "continuous", 2: "binary"}.get(len(spec.classes), "multiclass")


def _fields(spec: Any, split: data.Split) -> list[tuple[Any, Shaped[np.ndarray, "N values"]]]:
    """Returns each categorical field with its ids: the single-valued ones [N, 1], then the bags [N, values]."""
    single = [field for field in spec.categorical if field.max_values == 1]
    pairs = [(field, split.inputs["categories"][:, i, None]) for i, field in enumerate(single)]
    bags = [field for field in spec.categorical if field.max_values > 1]
    return pairs + [(field, split.inputs[f"bag_{field.name}"]) for field in bags]

"""Makes tables whose best model is known beforehand: positive controls for the combination of features.

`synthetic_interactions` has categorical features whose values carry hidden effect vectors e. With k features, the
target without noise is one of

    additive   Σ_i w·e_i                     what a sum can express, and a product cannot
    product    Σ_j Π_i e_ij                  what an elementwise product can express, and a sum cannot
    xor        Π_i s_i, s_i = ±1             parity: no feature alone, nor any k − 1 of them, tells anything
    max        Σ_j max_i e_ij
    mixed      additive + product, in equal parts
    count      how many items of a bag are of a hidden kind: a sum can know that, a mean of the same bag cannot

`synthetic_measured` has vectors that are measured and not learned, and y = Σ_i w_i·x_i with another w_i for each:
side by side they can be told apart, summed they cannot. `synthetic_scalars` is the same with plain numbers, whose
coefficients alternate in sign.

Targets without noise have mean 0 and standard deviation 1 over the training rows; Gaussian noise is added to them, and
the error of the noise-free function is the least that any model can expect: the reference `bayes_optimal`.
"""

import dataclasses
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from data.files import Table
from data.nearest import nearest

NAMES = ("synthetic_interactions", "synthetic_measured", "synthetic_scalars")
KINDS = ("additive", "product", "max", "count", "xor", "mixed")
TARGET = "target"
BAG = "items"
_SPLITS = ("train", "validation", "test")
_AT_LEAST = {
    "num_features": 1,
    "num_values": 2,
    "effect_dim": 1,
    "num_train": 2,
    "num_validation": 1,
    "num_test": 1,
    "bag_length": 2,
    "seed": 0,
}


@dataclasses.dataclass(frozen=True)
class SyntheticTable:
    """Tables of a control, and what is true of them.

    Attributes:
        tables: "train", "validation" and "test". Categories are texts, bags lists of texts, numbers floats.
        categorical: Columns of one category a cell.
        multi_valued: Columns of a bag of categories a cell.
        numeric: Columns of numbers.
        vectors: Which numbers are one measured vector, as "a_0,a_1;b_0,b_1"; "" where each stands alone.
        target: The column to predict.
        references: {"bayes_optimal": {split: {"rmse", "mae"}}}, the error of the function without noise.
    """

    tables: Mapping[str, Table]
    categorical: tuple[str, ...]
    multi_valued: tuple[str, ...]
    numeric: tuple[str, ...]
    vectors: str
    target: str
    references: Mapping[str, Mapping[str, Mapping[str, float]]]


# Columns of one split, and their noise-free target.
_Columns = tuple[dict[str, Sequence[Any]], Float64[np.ndarray, "N"]]


def make_synthetic(config: Any) -> SyntheticTable:
    """Makes the control that a config names; the same config gives the same tables.

    Args:
        config: `config.data`: name, one of `NAMES`, and synthetic: kind, num_features (vectors and scalars count as
            features), num_values (of a categorical feature, or kinds of items), effect_dim (of effect and measured
            vectors), num_train, num_validation, num_test, noise (its standard deviation, that of the noise-free
            target being 1), bag_length (the longest bag), seed. Other seeds give other effects and other rows.

    Returns:
        The tables. Every value of a feature occurs in training as often as every other; combinations need not.

    Raises:
        ValueError: An unknown name or kind, or a number that cannot be.
    """
    options = config.synthetic
    _check(config.name, options)
    rng = np.random.default_rng(options.seed)
    sizes = [options.num_train, options.num_validation, options.num_test]
    if config.name == "synthetic_interactions":
        make = _bags if options.kind == "count" else _features
        parts = make(rng, options, sizes)
    else:
        width = options.effect_dim if config.name == "synthetic_measured" else 1
        parts = _measured(rng, options, sizes, width)

    columns = list(parts[0][0])
    is_numeric = config.name != "synthetic_interactions"
    is_bag = columns == [BAG]
    tables, errors = {}, {}
    mean, scale = parts[0][1].mean(), parts[0][1].std()
    if not scale > 0:
        raise ValueError(
            f"data.synthetic: all {options.num_train} training targets are equal; raise num_train"
        )
    for split, (cells, noise_free) in zip(_SPLITS, parts, strict=True):
        noise = options.noise * rng.standard_normal(len(noise_free))
        targets = (noise_free - mean) / scale + noise
        tables[split] = Table(
            f"{config.name}/{split}", {**cells, TARGET: targets.tolist()}, range(1, len(targets) + 1), "row"
        )
        errors[split] = {"rmse": float(np.sqrt(np.mean(noise**2))), "mae": float(np.mean(np.abs(noise)))}
    vectors = ""
    if config.name == "synthetic_measured":
        grouped = np.reshape(columns, (options.num_features, options.effect_dim))
        vectors = ";".join(",".join(group) for group in grouped)
    return SyntheticTable(
        tables=tables,
        categorical=() if is_numeric or is_bag else tuple(columns),
        multi_valued=(BAG,) if is_bag else (),
        numeric=tuple(columns) if is_numeric else (),
        vectors=vectors,
        target=TARGET,
        references={"bayes_optimal": {split: errors[split] for split in ("validation", "test")}},
    )


def _features(rng: np.random.Generator, options: Any, sizes: Sequence[int]) -> list[_Columns]:
    """Draws single-valued features and combines their effects as options.kind says."""
    shape = (options.num_features, options.num_values, options.effect_dim)
    effects = rng.standard_normal(shape)
    readout = rng.standard_normal(options.effect_dim)
    signs = np.stack([_half_positive(rng, options.num_values) for _ in range(options.num_features)])

    def additive(ids: Int64[np.ndarray, "N k"]) -> Float64[np.ndarray, "N"]:
        return gather(ids).sum(axis=1) @ readout

    def product(ids: Int64[np.ndarray, "N k"]) -> Float64[np.ndarray, "N"]:
        return gather(ids).prod(axis=1).sum(axis=1)

    def gather(ids: Int64[np.ndarray, "N k"]) -> Float64[np.ndarray, "N k dim"]:
        return effects[np.arange(options.num_features), ids]

    columns = [
        _balanced(rng, options.num_values, (sizes[0], options.num_features)),
        *(rng.integers(options.num_values, size=(size, options.num_features)) for size in sizes[1:]),
    ]
    train = columns[0]
    functions: dict[str, Callable[..., np.ndarray]] = {
        "additive": additive,
        "product": product,
        "max": lambda ids: gather(ids).max(axis=1).sum(axis=1),
        "xor": lambda ids: signs[np.arange(options.num_features), ids].prod(axis=1),
        "mixed": lambda ids: additive(ids) / additive(train).std() + product(ids) / product(train).std(),
    }
    function = functions[options.kind]
    return [
        ({f"feature_{i}": _names(ids[:, i]) for i in range(options.num_features)}, function(ids))
        for ids in columns
    ]


def _bags(rng: np.random.Generator, options: Any, sizes: Sequence[int]) -> list[_Columns]:
    """Draws bags of 1 to options.bag_length items; the target counts those of the hidden half of all values."""
    is_counted = _half_positive(rng, options.num_values) > 0
    parts = []
    for i, size in enumerate(sizes):
        lengths = rng.integers(1, options.bag_length + 1, size=size)
        total = int(lengths.sum())
        if i == 0:
            items = _balanced(rng, options.num_values, (total, 1))[:, 0]
        else:
            items = rng.integers(options.num_values, size=total)
        ends = np.cumsum(lengths)
        counts = np.add.reduceat(is_counted[items].astype(np.float64), ends - lengths)
        names = _names(items)
        bags = [names[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        parts.append(({BAG: bags}, counts))
    return parts


def _measured(rng: np.random.Generator, options: Any, sizes: Sequence[int], width: int) -> list[_Columns]:
    """Draws standard normal vectors of a width, each with a map of its own; numbers, where the width is 1."""
    k = options.num_features
    if width > 1:
        weights = rng.standard_normal((k, width))
        names = [f"{letter}_{j}" for letter in string.ascii_lowercase[:k] for j in range(width)]
    else:
        weights = (rng.uniform(0.5, 1.5, size=k) * (-1.0) ** np.arange(k))[:, None]
        names = [f"x_{i}" for i in range(k)]
    parts = []
    for size in sizes:
        x = rng.standard_normal((size, k * width))
        parts.append(({name: x[:, i].tolist() for i, name in enumerate(names)}, x @ weights.ravel()))
    return parts


def _balanced(
    rng: np.random.Generator, num_values: int, shape: tuple[int, int]
) -> Int64[np.ndarray, "N columns"]:
    """Returns columns in which every value occurs equally often, or once more than others, in random order."""
    values = np.arange(shape[0]) % num_values
    return np.stack([rng.permutation(values) for _ in range(shape[1])], axis=1)


def _half_positive(rng: np.random.Generator, num_values: int) -> Float64[np.ndarray, "values"]:
    """Returns +1 for a random half of the values (the smaller half), -1 for the others."""
    signs = np.full(num_values, -1.0)
    signs[rng.permutation(num_values)[: num_values // 2]] = 1.0
    return signs


def _names(ids: Int64[np.ndarray, "N"]) -> list[str]:
    return [f"v{i}" for i in ids.tolist()]


def _check(name: str, options: Any) -> None:
    if name not in NAMES:
        raise ValueError(
            f"data.name: no control {name!r}{nearest(name, NAMES)}; expected one of {', '.join(NAMES)}"
        )
    if options.kind not in KINDS:
        raise ValueError(
            f"data.synthetic.kind: no kind {options.kind!r}{nearest(str(options.kind), KINDS)}; "
            f"expected one of {', '.join(KINDS)}"
        )
    for field, least in _AT_LEAST.items():
        value = options[field]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"data.synthetic.{field}: expected a whole number of at least {least}, found {value!r}"
            )
    if not 0 <= options.noise < np.inf:
        raise ValueError(
            f"data.synthetic.noise: expected a number of at least 0, the noise's standard deviation relative to "
            f"the target's, found {options.noise!r}"
        )
    if name == "synthetic_interactions" and options.num_train < options.num_values:
        raise ValueError(
            f"data.synthetic.num_train={options.num_train}: too few rows to show each of "
            f"num_values={options.num_values} values of a feature"
        )
    if name == "synthetic_measured" and options.effect_dim < 2:
        raise ValueError(
            f"data.synthetic.effect_dim: a measured vector has at least 2 numbers, found {options.effect_dim}; "
            f"use synthetic_scalars for plain numbers"
        )
    if name == "synthetic_measured" and options.num_features > len(string.ascii_lowercase):
        raise ValueError(
            f"data.synthetic.num_features: expected at most {len(string.ascii_lowercase)} measured vectors "
            f"(a, b, …), found {options.num_features}"
        )

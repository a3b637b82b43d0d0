"""Checked columns of a table on their way from a source (file, TFDS, Python) to arrays."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from data.files import Table
from data.table_roles import Roles

_LARGEST = float(np.finfo(np.float32).max)
_SEVERAL = (list, tuple, dict, np.ndarray)


@dataclasses.dataclass(frozen=True)
class Coded:
    """Cells that hold categories.

    Attributes:
        values: The categories, as text.
        codes: int64, indices into `values`; [N] with -1 where a cell is missing, or, for cells of any number of
            categories, [N, M] with -1 after a cell's last one.
    """

    values: tuple[str, ...]
    codes: Int64[np.ndarray, "N ..."]

    def take(self, indices: Int64[np.ndarray, "n"]) -> "Coded":
        """Returns the cells at `indices`."""
        return Coded(self.values, self.codes[indices])


@dataclasses.dataclass(frozen=True)
class Columns:
    """N rows of a table, column by column.

    Attributes:
        source: What they come from, for error messages.
        categorical: Name -> [N] codes.
        multi_valued: Name -> [N, M] codes.
        numeric: Name -> float64 [N], NaN where a cell is missing.
        target: Classes [N], or float32 [N] after its transform, or None where there is none; never missing.
        ids: N names of rows.
        where: Index -> the row's place in its source, for error messages.
    """

    source: str
    categorical: Mapping[str, Coded]
    multi_valued: Mapping[str, Coded]
    numeric: Mapping[str, Float64[np.ndarray, "N"]]
    target: Coded | Float32[np.ndarray, "N"] | None
    ids: Sequence[str]
    where: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Int64[np.ndarray, "n"]) -> "Columns":
        """Returns the rows at `indices`, int64 [n], in that order."""
        target = self.target
        if target is not None:
            target = target.take(indices) if isinstance(target, Coded) else target[indices]
        return Columns(
            source=self.source,
            categorical={name: coded.take(indices) for name, coded in self.categorical.items()},
            multi_valued={name: coded.take(indices) for name, coded in self.multi_valued.items()},
            numeric={name: numbers[indices] for name, numbers in self.numeric.items()},
            target=target,
            ids=[self.ids[i] for i in indices],
            where=lambda i: self.where(int(indices[i])),
        )


def read_columns(table: Table, roles: Roles, *, with_target: bool = True) -> Columns:
    """Picks the columns of a table and checks their cells.

    A category is a text without the white space around it, or anything else written as text, whole numbers without a
    decimal point: 7, 7.0 and "7" are one category.

    Args:
        table: N rows.
        roles: Which columns are read, and as what.
        with_target: Whether the target is looked at.

    Raises:
        ValueError: A column is missing, a cell is of the wrong kind, a number is infinite, or a target is missing; the
            message names the place.
    """
    ids = table.column(roles.id_column, "data.id_column") if roles.id_column else [None] * len(table)
    return Columns(
        source=table.source,
        categorical={name: _categories(table, name, "data.categorical") for name in roles.categorical},
        multi_valued={name: _bags(table, name, roles.value_separator) for name in roles.multi_valued},
        numeric={name: _numbers(table, name, "data.numeric") for name in roles.numeric},
        target=_target(table, roles) if with_target else None,
        ids=[str(i if cell is None else cell) for i, cell in enumerate(ids)],
        where=table.where,
    )


def _target(table: Table, roles: Roles) -> Coded | Float32[np.ndarray, "N"]:
    if roles.is_class:
        classes = _categories(table, roles.target, "data.target")
        _refuse_missing(classes.codes < 0, table, roles.target)
        return classes
    numbers = _numbers(
        table, roles.target, "data.target", advice="; to predict classes set data.target_type=class"
    )
    _refuse_missing(np.isnan(numbers), table, roles.target)
    if roles.target_transform == "log":
        if np.any(numbers <= 0):
            row = int(np.argmax(numbers <= 0))
            raise ValueError(
                f"{table.where(row)}: the target {roles.target!r} is {numbers[row]:g}, but "
                f"data.target_transform=log needs positive numbers"
            )
        numbers = np.log(numbers)
    return numbers.astype(np.float32)


def _refuse_missing(missing: np.ndarray, table: Table, name: str) -> None:
    if missing.any():
        raise ValueError(f"{table.where(int(np.argmax(missing)))}: the target {name!r} is missing")


def _categories(table: Table, name: str, option: str) -> Coded:
    cells = table.column(name, option)
    kinds = set(map(type, cells))
    if kinds & set(_SEVERAL):
        row = next(i for i, cell in enumerate(cells) if isinstance(cell, _SEVERAL))
        raise ValueError(
            f"{table.where(row)}: column {name!r} ({option}): expected one value, found {cells[row]!r}; cells of "
            f"several values belong in data.multi_valued"
        )
    if bool in kinds:  # True and 1 are one key of a dict
        cells = [str(cell) if isinstance(cell, bool) else cell for cell in cells]
    distinct, codes = _distinct(cells)
    texts = [_text(cell) for cell in distinct]
    values, numbering = _distinct([text for text in texts if text is not None])
    code_of_distinct = np.full(len(texts), -1, np.int64)
    code_of_distinct[np.array([text is not None for text in texts], bool)] = numbering
    return Coded(tuple(values), code_of_distinct[codes])


def _bags(table: Table, name: str, separator: str) -> Coded:
    cells = table.column(name, "data.multi_valued")
    # Few bags of many rows are different: those are parsed once. A list is no key of a dict.
    distinct, codes = _distinct([(repr(cell),) if isinstance(cell, _SEVERAL) else cell for cell in cells])
    first_rows = np.zeros(len(distinct), np.int64)
    first_rows[codes[::-1]] = np.arange(len(cells))[::-1]
    bags = []
    for row in first_rows.tolist():
        try:
            bags.append(_bag(cells[row], separator))
        except (RecursionError, TypeError, ValueError) as error:
            raise ValueError(
                f"{table.where(row)}: column {name!r} (data.multi_valued): expected values between "
                f"{separator!r} or a JSON list of them, found {cells[row]!r}"
            ) from error
    values, numbering = _distinct([value for bag in bags for value in bag])
    lengths = np.array([len(bag) for bag in bags], np.int64)
    table_of_bags = np.full((len(bags), max([1, *lengths.tolist()])), -1, np.int64)
    table_of_bags[np.arange(table_of_bags.shape[1]) < lengths[:, None]] = numbering
    return Coded(tuple(values), table_of_bags[codes])


def _bag(cell: Any, separator: str) -> list[str]:
    if isinstance(cell, str):
        cell = json.loads(cell) if cell.lstrip().startswith("[") else cell.split(separator)
    elif not isinstance(cell, list | tuple):
        cell = [cell]
    if any(isinstance(value, _SEVERAL) for value in cell):
        raise TypeError("a value of a bag is one value")
    return [text for value in cell if (text := _text(value)) is not None]


def _distinct(cells: Sequence[Any]) -> tuple[list[Any], Int64[np.ndarray, "N"]]:
    """Returns the distinct cells in order of first appearance, and for each cell its index among them."""
    index: dict[Any, int] = {}
    codes = np.fromiter((index.setdefault(cell, len(index)) for cell in cells), np.int64, len(cells))
    return list(index), codes


def _text(cell: Any) -> str | None:
    """Returns a category as text, None for a missing one."""
    if isinstance(cell, float | np.floating):
        if math.isnan(cell):
            return None
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    return None if cell is None else str(cell).strip() or None


def _numbers(table: Table, name: str, option: str, advice: str = "") -> Float64[np.ndarray, "N"]:
    cells = table.column(name, option)
    numbers = np.empty(len(cells), np.float64)
    for row, cell in enumerate(cells):
        try:
            numbers[row] = _number(cell, is_target=option == "data.target")
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                f"{table.where(row)}: column {name!r} ({option}): expected a number, found {cell!r}{advice}"
            ) from error
    infinite = np.abs(numbers) > _LARGEST  # NaN is not
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"{table.where(row)}: column {name!r} ({option}): expected a finite number, found {cells[row]!r}"
        )
    return numbers


def _number(cell: Any, is_target: bool) -> float:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return math.nan
    if is_target and isinstance(cell, bool | np.bool_):
        raise TypeError("yes or no is a class")
    return float(cell)

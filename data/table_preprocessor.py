"""Turns rows of a table into arrays: fitted to a training split, saved as one JSON file, restored anywhere."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import absl.logging
import numpy as np
from jaxtyping import Float32, Float64, Int32

from data.atomic import write_text
from data.dataset import Spec, Split
from data.files import Table, read_table
from data.nearest import nearest
from data.table_columns import Coded, Columns, read_columns
from data.table_roles import Roles

MISSING_ID = 0
UNSEEN_ID = 1
_FIRST_ID = 2
_RENAMED = ("target", "id_column")  # what a file may call otherwise than the training data


@dataclasses.dataclass(frozen=True, kw_only=True)
class CategoricalField:
    """A column of categories.

    Attributes:
        name: The column.
        num_rows: One more than the largest id: 0 is missing (or the end of a bag), 1 a category that is not in the
            training split, or rare in it, then those that are by falling frequency.
        max_values: 1 where a cell holds one category; else, at least 2, the size of the largest bag in training.
    """

    name: str
    num_rows: int
    max_values: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class NumericField:
    """A column of numbers.

    Attributes:
        name: The column.
        mean: Over the training split, missing cells apart.
        scale: Standard deviation over the training split; 1 for a constant column.
        edges: Quantiles of the standardised training values, strictly rising, from the least to the greatest, so that
            each bin between neighbours holds as many values as another; one alone for a constant column.
    """

    name: str
    mean: float
    scale: float
    edges: tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableSpec(Spec):
    """Rows of a table.

    Inputs are "categories" int32 [N, F], the single-valued fields in order; "bag_NAME" int32 [N, M] for every
    multi-valued field, 0 after a bag's end; "numeric" float32 [N, K], standardised, NaN where missing. What there is
    none of is absent.

    Attributes:
        categorical: The single-valued fields, then the multi-valued ones.
        numeric: The numbers.
        vectors: Groups of indices into `numeric`, each of them one measured vector.
    """

    categorical: tuple[CategoricalField, ...] = ()
    numeric: tuple[NumericField, ...] = ()
    vectors: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "TableSpec":
        """Builds a TableSpec from `to_dict`'s answer."""
        return cls(
            **{
                **fields,
                "classes": tuple(fields["classes"]),
                "categorical": tuple(CategoricalField(**field) for field in fields["categorical"]),
                "numeric": tuple(
                    NumericField(**{**field, "edges": tuple(field["edges"])}) for field in fields["numeric"]
                ),
                "vectors": tuple(map(tuple, fields["vectors"])),
            }
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gaps:
    """What a column of a split does not tell.

    Attributes:
        missing: Cells without a value.
        unseen: Categories that training has not seen, or too rarely.
        cut: Bags that are longer than any in training, of which the end is dropped.
    """

    missing: int = 0
    unseen: int = 0
    cut: int = 0

    def __str__(self) -> str:
        counts = dataclasses.asdict(self).items()
        return ", ".join(f"{count:,} {name}" for name, count in counts if count)


@dataclasses.dataclass(frozen=True, eq=False)
class TablePreprocessor:
    """Encodes rows of a table.

    Attributes:
        spec: Fields, sizes and classes.
        roles: Which columns are read, and as what.
        vocabularies: Categorical column -> its categories; the first has id 2.
        gaps: Split -> column -> what was missing when the data was loaded; columns without gaps are absent.
    """

    FORMAT: ClassVar[str] = "combiner-ablations table preprocessor 1"

    spec: TableSpec
    roles: Roles
    vocabularies: Mapping[str, tuple[str, ...]]
    gaps: Mapping[str, Mapping[str, Gaps]] = dataclasses.field(default_factory=dict)

    @classmethod
    def fit(
        cls, train: Columns, roles: Roles, classes: Sequence[str], *, min_count: int, num_bins: int
    ) -> "TablePreprocessor":
        """Learns categories, scales and bins from the training split.

        Args:
            train: The training split, the only one that is looked at.
            roles: What its columns are.
            classes: Class names in index order; () where a number is predicted.
            min_count: Rarer categories are taken as unseen.
            num_bins: Of the numeric columns, at most.

        Raises:
            ValueError: A limit is out of range, a constant target, or a column in which nothing is left.
        """
        if min_count < 1:
            raise ValueError(f"data.min_count: expected at least 1, found {min_count}")
        if num_bins < 1:
            raise ValueError(f"data.num_bins: expected at least 1, found {num_bins}")
        fields, vocabularies = [], {}
        for columns, is_bag in ((train.categorical, False), (train.multi_valued, True)):
            for name, coded in columns.items():
                vocabularies[name] = _vocabulary(coded, name, min_count, train.source)
                longest = int((coded.codes >= 0).sum(axis=1).max()) if is_bag else 1
                num_rows = _FIRST_ID + len(vocabularies[name])
                max_values = max(longest, 2) if is_bag else 1
                fields.append(CategoricalField(name=name, num_rows=num_rows, max_values=max_values))
        mean, scale = _target_scale(train, roles.target)
        spec = TableSpec(
            classes=tuple(classes),
            target_mean=mean,
            target_scale=scale,
            categorical=tuple(fields),
            numeric=tuple(
                _numeric_field(name, numbers, num_bins, train.source)
                for name, numbers in train.numeric.items()
            ),
            vectors=tuple(tuple(roles.numeric.index(name) for name in group) for group in roles.vectors),
        )
        return cls(spec, roles, vocabularies)

    @property
    def target_column(self) -> str:
        """The column of the targets."""
        return self.roles.target

    def encode(self, rows: Sequence[Mapping[str, Any]], *, with_targets: bool = True) -> Split:
        """Encodes new examples.

        Args:
            rows: Each a mapping with the columns of the features and, where there are, of target and id; other keys
                are ignored. A key that some rows lack is a missing value there.
            with_targets: Whether targets are looked at.

        Returns:
            The Split; row number i is named str(i) where it has no id.

        Raises:
            ValueError: No row has a column, or a cell is wrong; the message names the row, counting from 0.
        """
        names = dict.fromkeys(name for row in rows for name in row) if rows else self.roles.columns
        table = Table(
            "rows", {name: [row.get(name) for row in rows] for name in names}, range(len(rows)), "row"
        )
        with_target = with_targets and self.roles.target in table.columns
        return self.encode_columns(read_columns(table, self._roles_of(table), with_target=with_target))

    def read(self, path: str | os.PathLike[str], columns: Mapping[str, str]) -> Split:
        """Reads and encodes a user's file; it has no targets where it has no target column.

        Args:
            path: See `data.files.read_table`.
            columns: target and id_column, where they differ from the training data's. A file without the id column of
                the training data is numbered by row.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file is malformed, a column is missing, or a cell is wrong.
        """
        for field in columns:
            if field not in _RENAMED:
                raise ValueError(
                    f"data.{field}: what a run was trained on stays as it is{nearest(field, _RENAMED)}; a file may "
                    f"have another {' and '.join(f'data.{name}' for name in _RENAMED)}"
                )
        table = read_table(path)
        for field, name in columns.items():
            table.column(name, f"data.{field}")  # what the user names must be there
        roles = dataclasses.replace(self._roles_of(table), **columns)
        checked = read_columns(table, roles, with_target=roles.target in table.columns)
        log_gaps(table.source, self.find_gaps(checked))
        return self.encode_columns(checked)

    def encode_columns(self, columns: Columns) -> Split:
        """Encodes N checked rows; see `encode`."""
        inputs: dict[str, np.ndarray] = {}
        if columns.categorical:
            ids = [self._ids(name, coded) for name, coded in columns.categorical.items()]
            inputs["categories"] = np.stack(ids, axis=1)
        for field in self.spec.categorical:
            if field.max_values > 1:
                ids = self._ids(field.name, columns.multi_valued[field.name])[:, : field.max_values]
                inputs[f"bag_{field.name}"] = np.pad(ids, ((0, 0), (0, field.max_values - ids.shape[1])))
        if self.spec.numeric:
            numbers = [_standardised(columns.numeric[field.name], field) for field in self.spec.numeric]
            inputs["numeric"] = np.stack(numbers, axis=1)
        return Split(inputs, self._targets(columns), columns.ids)

    def find_gaps(self, columns: Columns) -> dict[str, Gaps]:
        """Counts what is missing in N checked rows and what training has not seen, by column; nothing for none."""
        longest = {field.name: field.max_values for field in self.spec.categorical}
        gaps: dict[str, Gaps] = {}
        for name, coded in {**columns.categorical, **columns.multi_valued}.items():
            by_row = coded.codes.reshape(len(columns), -1) >= 0
            gaps[name] = Gaps(
                missing=int((~by_row.any(axis=1)).sum()),
                unseen=int((self._ids(name, coded) == UNSEEN_ID).sum()),
                cut=int((by_row.sum(axis=1) > longest[name]).sum()),
            )
        for name, numbers in columns.numeric.items():
            gaps[name] = Gaps(missing=int(np.isnan(numbers).sum()))
        return {name: counts for name, counts in gaps.items() if counts != Gaps()}

    def invert_target(self, values: Float32[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """Returns targets or predictions in the unit of the target's column: exp(values) where its log is predicted."""
        values = values.astype(np.float64)
        return np.exp(values) if self.roles.target_transform == "log" else values

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, at once or not at all.

        Args:
            path: The file; its folder must exist.
        """
        content = {
            "format": self.FORMAT,
            "spec": self.spec.to_dict(),
            "roles": dataclasses.asdict(self.roles),
            "vocabularies": self.vocabularies,
            "gaps": {
                split: {name: dataclasses.asdict(gaps) for name, gaps in columns.items()}
                for split, columns in self.gaps.items()
            },
        }
        write_text(path, json.dumps(content))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TablePreprocessor":
        """Restores what `save` wrote; it encodes the same, bit for bit."""
        return cls(
            spec=TableSpec.from_dict(content["spec"]),
            roles=Roles.from_dict(content["roles"]),
            vocabularies={name: tuple(values) for name, values in content["vocabularies"].items()},
            gaps={
                split: {name: Gaps(**gaps) for name, gaps in columns.items()}
                for split, columns in content["gaps"].items()
            },
        )

    def _roles_of(self, table: Table) -> Roles:
        """Returns the roles, without an id column where the table has none."""
        has_ids = self.roles.id_column in table.columns
        return self.roles if has_ids else dataclasses.replace(self.roles, id_column="")

    def _ids(self, name: str, coded: Coded) -> Int32[np.ndarray, "N ..."]:
        known = {value: i for i, value in enumerate(self.vocabularies[name], start=_FIRST_ID)}
        # The last entry is for a missing cell, whose code is -1.
        ids = [*(known.get(value, UNSEEN_ID) for value in coded.values), MISSING_ID]
        return np.array(ids, np.int32)[coded.codes]

    def _targets(self, columns: Columns) -> Int32[np.ndarray, "N"] | Float32[np.ndarray, "N"] | None:
        if not isinstance(columns.target, Coded):
            return columns.target
        classes = self.spec.classes
        index = {name: i for i, name in enumerate(classes)}
        of_value = np.array([index.get(value, -1) for value in columns.target.values], np.int32)
        targets = of_value[columns.target.codes]
        if np.any(targets < 0):
            row = int(np.argmax(targets < 0))
            label = columns.target.values[columns.target.codes[row]]
            raise ValueError(
                f"{columns.where(row)}: label {label!r} is not a class of the training set{nearest(label, classes)}; "
                f"expected one of {', '.join(map(repr, classes))}"
            )
        return targets


def log_gaps(source: str, gaps: Mapping[str, Gaps]) -> None:
    """Tells what a split does not, in one line; nothing where it tells all."""
    if gaps:
        absl.logging.info("%s: %s", source, "; ".join(f"{name!r}: {counts}" for name, counts in gaps.items()))


def _vocabulary(coded: Coded, name: str, min_count: int, source: str) -> tuple[str, ...]:
    """Returns the categories that occur often enough, by falling frequency, equally frequent ones by name."""
    counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.values))
    if not counts.any():
        raise ValueError(f"{source}: column {name!r} is empty in all {len(coded.codes)} training rows")
    kept = np.flatnonzero(counts >= min_count)
    if not len(kept):
        raise ValueError(
            f"data.min_count: no category of column {name!r} occurs {min_count} times in {len(coded.codes)} "
            f"training rows"
        )
    return tuple(coded.values[i] for i in sorted(kept, key=lambda i: (-counts[i], coded.values[i])))


def _numeric_field(name: str, numbers: Float64[np.ndarray, "N"], num_bins: int, source: str) -> NumericField:
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        raise ValueError(f"{source}: column {name!r} is empty in all {len(numbers)} training rows")
    mean, scale = known.mean(), known.std()
    if (
        known.min() == known.max() or scale == 0
    ):  # a constant's standard deviation is rounding error, not always 0
        mean, scale = known[0], 1.0
    field = NumericField(name=name, mean=float(mean), scale=float(scale), edges=())
    quantiles = np.quantile(_standardised(known, field), np.linspace(0, 1, num_bins + 1))
    return dataclasses.replace(field, edges=tuple(np.unique(quantiles.astype(np.float32)).tolist()))


def _standardised(numbers: Float64[np.ndarray, "N"], field: NumericField) -> Float32[np.ndarray, "N"]:
    largest = np.finfo(np.float32).max
    return np.clip((numbers - field.mean) / field.scale, -largest, largest).astype(np.float32)


def _target_scale(train: Columns, name: str) -> tuple[float, float]:
    """Returns the mean and the standard deviation of the targets; 0 and 1 for classes."""
    if not isinstance(train.target, np.ndarray):
        return 0.0, 1.0
    targets = train.target.astype(np.float64)
    # Targets are single precision: where they hardly differ beside their size, there is nothing left of them.
    resolution = 100 * float(np.spacing(np.float32(np.abs(targets).max())))
    if targets.max() - targets.min() < resolution:
        raise ValueError(
            f"{train.source}: the target {name!r} is the same in all {len(targets)} training rows "
            f"({targets[0]:g}) or differs by less than {resolution:.2g}, too little beside its size; expected "
            f"different values: subtract a constant from them where they only look alike"
        )
    return float(targets.mean()), float(targets.std())

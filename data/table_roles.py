"""Which column of a table plays which part: as the user names them, else as the data set suggests."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from data.files import Table
from data.nearest import nearest

_FEATURES = ("categorical", "multi_valued", "numeric")
_NONE = "none"  # how to say "no column" where '' stands for the data set's own choice


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roles:
    """What the columns of a table are to a model.

    Attributes:
        target: The column to predict.
        is_class: Whether the target is a class; else it is a number.
        target_transform: What is predicted of the target: "" for itself, or "log", its natural logarithm.
        categorical: Columns with one category a cell.
        multi_valued: Columns with any number of categories a cell.
        numeric: Columns with a number a cell.
        vectors: `numeric` in groups, each of them one measured vector.
        id_column: Names the rows; "" for the row number.
        value_separator: What stands between the categories of a cell.
    """

    target: str
    is_class: bool = False
    target_transform: str = ""
    categorical: tuple[str, ...] = ()
    multi_valued: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    vectors: tuple[tuple[str, ...], ...] = ()
    id_column: str = ""
    value_separator: str = "|"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        ids = (self.id_column,) if self.id_column else ()
        return (self.target, *self.categorical, *self.multi_valued, *self.numeric, *ids)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Roles":
        """Builds Roles from their fields as JSON has them, with lists for tuples."""
        names = {field: tuple(fields[field]) for field in _FEATURES}
        return cls(**{**fields, **names, "vectors": tuple(map(tuple, fields["vectors"]))})


def resolve_roles(config: ml_collections.ConfigDict, preset: Roles, table: Table) -> Roles:
    """Returns what a config says of a table, and what the preset says where the config is silent.

    A column that the config names leaves the part that the preset gave it.

    Args:
        config: `config.data`: target, target_type, target_transform, categorical, multi_valued, numeric (each names
            between commas, or a tuple of them; 'none' for none), vectors, id_column, value_separator.
        preset: The data set's own roles; its target is "" where it has none.
        table: The training rows, or their header alone.

    Raises:
        ValueError: A column is missing, named twice or not numeric but in a vector; no target or no feature is named;
            or an unknown target_type or target_transform.
    """
    target = config.target or preset.target
    if not target:
        raise ValueError(
            f"{table.source}: data.target: name the column to predict; "
            f"found columns {', '.join(map(repr, table.columns))}"
        )
    given = {field: _names(config[field]) for field in _FEATURES if config[field]}
    taken = {target, *(name for names in given.values() for name in names)}
    features = {
        field: given.get(field, tuple(name for name in getattr(preset, field) if name not in taken))
        for field in _FEATURES
    }
    is_class = _is_class(config)
    roles = Roles(
        target=target,
        is_class=is_class,
        target_transform=_transform(config, preset, target, is_class),
        vectors=_vectors(config, preset, features["numeric"]),
        id_column=config.id_column or preset.id_column,
        value_separator=config.value_separator,
        **features,
    )
    _check_columns(roles, table)
    return roles


def parse_vectors(text: str) -> tuple[tuple[str, ...], ...]:
    """Returns the groups of names in "a_0,a_1;b_0,b_1"."""
    return tuple(_names(group) for group in text.split(";") if group.strip())


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    stripped = tuple(name.strip() for name in names if name.strip())
    return () if stripped == (_NONE,) else stripped


def _is_class(config: ml_collections.ConfigDict) -> bool:
    if config.target_type not in ("auto", "class"):
        raise ValueError(
            f"data.target_type: expected 'auto' (a number) or 'class', found {config.target_type!r}"
            f"{nearest(str(config.target_type), ('auto', 'class'))}"
        )
    return config.target_type == "class"


def _transform(config: ml_collections.ConfigDict, preset: Roles, target: str, is_class: bool) -> str:
    transform = config.target_transform
    if transform not in ("", "log", _NONE):
        raise ValueError(
            f"data.target_transform: expected '' (the data set's own), 'none' or 'log', found {transform!r}"
            f"{nearest(str(transform), ('none', 'log'))}"
        )
    if transform == "log" and is_class:
        raise ValueError(
            "data.target_transform=log needs a number to predict, but data.target_type is 'class'"
        )
    if transform == "":
        return preset.target_transform if target == preset.target and not is_class else ""
    return "" if transform == _NONE else transform


def _vectors(
    config: ml_collections.ConfigDict, preset: Roles, numeric: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Returns the groups that are named, then each column that is in none of them as a vector of one number."""
    if config.vectors:
        groups = () if config.vectors == _NONE else parse_vectors(config.vectors)
    else:
        groups = preset.vectors if numeric == preset.numeric else ()
    grouped = [name for group in groups for name in group]
    for name in grouped:
        if name not in numeric:
            raise ValueError(f"data.vectors: {name!r} is not in data.numeric{nearest(name, numeric)}")
        if grouped.count(name) > 1:
            raise ValueError(f"data.vectors names {name!r} twice")
    return (*groups, *((name,) for name in numeric if name not in grouped))


def _check_columns(roles: Roles, table: Table) -> None:
    if not roles.value_separator:
        raise ValueError("data.value_separator: expected a text between the values of a cell, found ''")
    fields = {"target": (roles.target,), **{field: getattr(roles, field) for field in _FEATURES}}
    if roles.id_column:
        table.column(roles.id_column, "data.id_column")
    seen: dict[str, str] = {}
    for field, names in fields.items():
        for name in names:
            table.column(name, f"data.{field}")
            if name in seen:
                where = (
                    f"data.{field} twice" if seen[name] == field else f"data.{seen[name]} and data.{field}"
                )
                raise ValueError(f"{table.source}: column {name!r} is named in {where}")
            seen[name] = field
    if len(seen) == 1:
        raise ValueError(
            f"{table.source}: no feature to predict {roles.target!r} from: name columns in data.categorical, "
            f"data.multi_valued or data.numeric; found columns {', '.join(map(repr, table.columns))}"
        )

"""Turns texts into arrays: fitted to a training split, saved as one JSON file, restored anywhere."""

import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64, Shaped
from tokenizers import Tokenizer

from data.atomic import write_text
from data.dataset import Split, TextSpec
from data.examples import Examples, checked_examples, class_indices
from data.files import Table, read_table
from data.vocabulary import PAD_ID, build_tokenizer, count_unmet, smooth_idf, token_ids


@dataclasses.dataclass(frozen=True, eq=False)
class TextPreprocessor:
    """Encodes texts as rows of word ids; `dataclasses.replace` reads files with other column names.

    Attributes:
        spec: Sizes and classes; no row of tokens is longer than `spec.num_slots`.
        tokenizer: Words and their ids.
        weights: "" for none, "idf", or the column that holds one number per word.
        idf: float64 [vocab_size] where `weights` is "idf", else None.
        text_column: Where a row that is a mapping, or a file, holds its text.
        label_column: Where it holds its class.
        id_column: Where it holds its name; "" for the row number.
    """

    FORMAT: ClassVar[str] = "combiner-ablations text preprocessor 1"

    spec: TextSpec
    tokenizer: Tokenizer
    weights: str
    idf: Float64[np.ndarray, "vocab_size"] | None
    text_column: str
    label_column: str
    id_column: str

    @classmethod
    def fit(
        cls,
        train: Examples,
        classes: Sequence[str],
        *,
        min_count: int,
        max_vocab: int,
        max_length: int,
        weights: str,
        text_column: str,
        label_column: str,
        id_column: str,
        extra_words: Sequence[str] = (),
    ) -> "TextPreprocessor":
        """Learns the vocabulary, the longest row and the weights from the training split.

        Args:
            train: The training split, the only one that is looked at.
            classes: Class names in index order.
            min_count: Rarer words become the unknown word.
            max_vocab: Largest vocabulary, padding and unknown included; 0 for no limit.
            max_length: Words after that many are dropped; rows are trimmed further to the longest training text.
            weights: "" | "idf" | name of a column.
            text_column: See the class.
            label_column: See the class.
            id_column: See the class.
            extra_words: Join the vocabulary; see `build_tokenizer`.

        Raises:
            ValueError: A limit is out of range, or no training text holds a word.
        """
        if max_length < 1:
            raise ValueError(f"data.max_length: expected at least 1, found {max_length}")
        tokenizer = build_tokenizer(train.texts, min_count, max_vocab, extra_words)
        rows = token_ids(tokenizer, train.texts)
        vocab_size = tokenizer.get_vocab_size()
        return cls(
            spec=TextSpec(
                num_slots=min(max_length, max(map(len, rows))),
                vocab_size=vocab_size,
                classes=tuple(classes),
                has_weights=bool(weights),
                num_extra=count_unmet(rows, vocab_size),
            ),
            tokenizer=tokenizer,
            weights=weights,
            idf=smooth_idf(rows, vocab_size) if weights == "idf" else None,
            text_column=text_column,
            label_column=label_column,
            id_column=id_column,
        )

    @property
    def target_column(self) -> str:
        """The column of the classes."""
        return self.label_column

    def encode(self, rows: Sequence[str | Mapping[str, Any]], *, with_targets: bool = True) -> Split:
        """Encodes new examples.

        A text without a word gives a row of padding, an empty bag.

        Args:
            rows: Each a text, or a mapping with the text column and, where there are, those of label, id and
                weights; other keys are ignored. Labels are given for every row or for none.
            with_targets: Whether labels are looked at.

        Returns:
            The Split; row number i is named str(i) where it has no id.

        Raises:
            ValueError: A cell is missing or wrong; the message names the row, counting from 0.
        """

        def where(i: int) -> str:
            return f"row {i}"

        mappings = [{self.text_column: row} if isinstance(row, str) else row for row in rows]
        for i, row in enumerate(mappings):
            if self.text_column not in row:
                raise ValueError(f"{where(i)}: no {self.text_column!r}; found {', '.join(map(repr, row))}")
        labelled = with_targets and any(self.label_column in row for row in mappings)
        named = bool(self.id_column) and any(self.id_column in row for row in mappings)
        return self.encode_examples(
            checked_examples(
                texts=[row[self.text_column] for row in mappings],
                labels=[row.get(self.label_column) for row in mappings] if labelled else None,
                ids=[row.get(self.id_column, i) for i, row in enumerate(mappings)] if named else None,
                weights=[row.get(self.weights) for row in mappings] if self.weights_column else None,
                where=where,
            )
        )

    @property
    def weights_column(self) -> str:
        """The column of word weights, "" where there is none."""
        return "" if self.weights == "idf" else self.weights

    def encode_examples(self, examples: Examples) -> Split:
        """Encodes N checked examples; see `encode`."""
        ids = token_ids(self.tokenizer, examples.texts)
        tokens = padded(ids, self.spec.num_slots, np.int32)
        inputs = {"tokens": tokens}
        if self.idf is not None:
            inputs["weights"] = np.where(tokens == PAD_ID, 0, self.idf[tokens]).astype(np.float32)
        elif self.weights_column:
            if examples.weights is None:
                raise ValueError(f"the examples have no column {self.weights_column!r} of word weights")
            cells = [
                _weights(cell, len(row), self.weights_column, examples.where, i)
                for i, (cell, row) in enumerate(zip(examples.weights, ids, strict=True))
            ]
            inputs["weights"] = padded(cells, self.spec.num_slots, np.float32)
        return Split(
            inputs=inputs,
            targets=class_indices(examples, self.spec.classes),
            ids=examples.ids,
            texts=examples.texts,
            lengths=np.count_nonzero(tokens, axis=1).astype(np.int32),
        )

    def read(self, path: str | os.PathLike[str], columns: Mapping[str, str]) -> Split:
        """Reads and encodes a user's file; it is unlabelled where it has no label column.

        Args:
            path: See `data.files.read_table`.
            columns: text_column, label_column, id_column, where they differ from the training data's. A file without
                the id column is numbered by row.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file is malformed, a cell is missing, or a label is not a class.
        """
        reader = dataclasses.replace(self, **columns)
        table = read_table(path)
        for field, name in columns.items():
            table.column(name, f"data.{field}")  # what the user names must be there
        examples = table_examples(
            table,
            text_column=reader.text_column,
            label_column=reader.label_column if reader.label_column in table.columns else None,
            id_column=reader.id_column if reader.id_column in table.columns else "",
            weights_column=reader.weights_column,
        )
        return self.encode_examples(examples)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, at once or not at all.

        Args:
            path: The file; its folder must exist.
        """
        content = {
            "format": self.FORMAT,
            "spec": self.spec.to_dict(),
            "columns": {"text": self.text_column, "label": self.label_column, "id": self.id_column},
            "weights": self.weights,
            "idf": None if self.idf is None else self.idf.tolist(),
            "tokenizer": json.loads(self.tokenizer.to_str()),
        }
        write_text(path, json.dumps(content))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TextPreprocessor":
        """Restores what `save` wrote; it encodes the same, bit for bit."""
        return cls(
            spec=TextSpec.from_dict(content["spec"]),
            tokenizer=Tokenizer.from_str(json.dumps(content["tokenizer"])),
            weights=content["weights"],
            idf=None if content["idf"] is None else np.array(content["idf"]),
            text_column=content["columns"]["text"],
            label_column=content["columns"]["label"],
            id_column=content["columns"]["id"],
        )


def table_examples(
    table: Table,
    *,
    text_column: str,
    label_column: str | None,
    id_column: str,
    weights_column: str,
) -> Examples:
    """Picks the columns of a user's table and checks their cells.

    Args:
        table: What `data.files.read_table` returned.
        text_column: The texts.
        label_column: The classes; None reads none.
        id_column: Names of the examples; "" to number the rows from 0.
        weights_column: One number per word, a JSON list or numbers between spaces; "" for none.

    Raises:
        ValueError: A column or a cell is missing.
    """
    return checked_examples(
        texts=table.column(text_column, "data.text_column"),
        labels=None if label_column is None else table.column(label_column, "data.label_column"),
        ids=table.column(id_column, "data.id_column") if id_column else None,
        weights=table.column(weights_column, "data.weights") if weights_column else None,
        where=table.where,
    )


def padded(rows: Sequence[Sequence[Any]], length: int, dtype: type) -> Shaped[np.ndarray, "N {length}"]:
    """Returns [N, length]: rows cut at `length`, zeros after their end."""
    array = np.zeros((len(rows), length), dtype)
    for i, row in enumerate(rows):
        cut = row[:length]
        array[i, : len(cut)] = cut
    return array


def _weights(cell: Any, expected: int, column: str, where: Callable[[int], str], i: int) -> list[float]:
    """Parses one cell of word weights: `expected` finite numbers."""
    values = [] if cell is None else cell  # a text without a word has no weights: in CSV, an empty field
    try:
        if isinstance(cell, str):
            values = json.loads(cell) if cell.lstrip().startswith("[") else cell.split()
        elif isinstance(cell, int | float):
            values = [cell]
        numbers = [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where(i)}: column {column!r}: expected a JSON list or numbers between spaces, found {cell!r}"
        ) from error
    if len(numbers) != expected:
        raise ValueError(
            f"{where(i)}: column {column!r} has {len(numbers)} weights, but the text has {expected} words"
        )
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{where(i)}: column {column!r}: expected finite weights, found {cell!r}")
    return numbers

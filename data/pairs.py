"""Loads pairs of sentences, `config.data` -> encoded splits, and turns them into arrays."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import ml_collections
import numpy as np
from jaxtyping import Int64
from tokenizers import Tokenizer

from data.atomic import write_text
from data.dataset import Dataset, Split, TextSpec
from data.examples import Examples, checked_examples, class_indices, sorted_classes
from data.files import Table, read_table
from data.prepare import cache_folder
from data.splits import stratified_splits, take_fraction
from data.text_preprocessor import padded, table_examples
from data.vector_files import extra_words
from data.vocabulary import build_tokenizer, count_unmet, token_ids

BETWEEN = " ||| "  # what stands between the two texts of a pair where people read them


@dataclasses.dataclass(frozen=True)
class Pairs:
    """N pairs of texts; the first ones carry labels, names and places."""

    first: Examples
    second: Examples

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: Int64[np.ndarray, "n"]) -> "Pairs":
        """Returns the pairs at `indices`, in that order."""
        return Pairs(self.first.take(indices), self.second.take(indices))


@dataclasses.dataclass(frozen=True, eq=False)
class PairPreprocessor:
    """Encodes pairs of texts as two rows of word ids each, with one vocabulary for both.

    Attributes:
        spec: Sizes and classes; no row of tokens is longer than `spec.num_slots`.
        tokenizer: Words and their ids.
        text_column: Where a row that is a mapping, or a file, holds its first text.
        text_b_column: Where it holds its second text.
        label_column: Where it holds its class.
        id_column: Where it holds its name; "" for the row number.
    """

    FORMAT: ClassVar[str] = "combiner-ablations pair preprocessor 1"

    spec: TextSpec
    tokenizer: Tokenizer
    text_column: str
    text_b_column: str
    label_column: str
    id_column: str

    @classmethod
    def fit(
        cls,
        train: Pairs,
        classes: Sequence[str],
        *,
        min_count: int,
        max_vocab: int,
        max_length: int,
        extra_words: Sequence[str] = (),
        **columns: str,
    ) -> "PairPreprocessor":
        """Learns the vocabulary and the longest row from the training split.

        Args:
            train: The training split, the only one that is looked at.
            classes: Class names in index order.
            min_count: Rarer words become the unknown word.
            max_vocab: Largest vocabulary, padding and unknown included; 0 for no limit.
            max_length: Words after that many are dropped; rows are trimmed further to the longest training text.
            extra_words: Join the vocabulary; see `build_tokenizer`.
            **columns: See the class.

        Raises:
            ValueError: A limit is out of range, or no training text holds a word.
        """
        if max_length < 1:
            raise ValueError(f"data.max_length: expected at least 1, found {max_length}")
        texts = [*train.first.texts, *train.second.texts]
        tokenizer = build_tokenizer(texts, min_count, max_vocab, extra_words)
        rows, vocab_size = token_ids(tokenizer, texts), tokenizer.get_vocab_size()
        spec = TextSpec(
            num_slots=min(max_length, max(map(len, rows))),
            vocab_size=vocab_size,
            classes=tuple(classes),
            is_pair=True,
            num_extra=count_unmet(rows, vocab_size),
        )
        return cls(spec=spec, tokenizer=tokenizer, **columns)

    @property
    def target_column(self) -> str:
        """The column of the classes."""
        return self.label_column

    def encode(
        self, rows: Sequence[Sequence[str] | Mapping[str, Any]], *, with_targets: bool = True
    ) -> Split:
        """Encodes new pairs.

        Args:
            rows: Each two texts, or a mapping with the two text columns and, where there are, those of label and id;
                other keys are ignored. Labels are given for every row or for none.
            with_targets: Whether labels are looked at.

        Returns:
            The Split; row number i is named str(i) where it has no id.

        Raises:
            ValueError: A text is missing or wrong; the message names the row, counting from 0.
        """
        mappings: list[Mapping[str, Any]] = []
        for i, row in enumerate(rows):
            if isinstance(row, str) or (not isinstance(row, Mapping) and len(row) != 2):
                raise ValueError(f"row {i}: expected two texts, found {row!r}")
            mapping = row if isinstance(row, Mapping) else dict(zip(self._text_columns, row, strict=True))
            for column in self._text_columns:
                if column not in mapping:
                    raise ValueError(f"row {i}: no {column!r}; found {', '.join(map(repr, mapping))}")
            mappings.append(mapping)

        def cells(column: str) -> list[Any]:
            return [mapping.get(column) for mapping in mappings]

        labelled = with_targets and any(self.label_column in mapping for mapping in mappings)
        ids = cells(self.id_column) if self.id_column else None
        first, second = (
            checked_examples(
                texts=cells(column),
                labels=cells(self.label_column) if labelled else None,
                ids=ids,
                weights=None,
                where=lambda i, column=column: f"row {i}, {column!r}",
            )
            for column in self._text_columns
        )
        return self.encode_pairs(Pairs(first, second))

    @property
    def _text_columns(self) -> tuple[str, str]:
        return self.text_column, self.text_b_column

    def encode_pairs(self, pairs: Pairs) -> Split:
        """Encodes N checked pairs; see `encode`."""
        tokens, tokens_b = (
            padded(token_ids(self.tokenizer, texts), self.spec.num_slots, np.int32)
            for texts in (pairs.first.texts, pairs.second.texts)
        )
        longer = np.maximum(np.count_nonzero(tokens, axis=1), np.count_nonzero(tokens_b, axis=1))
        return Split(
            inputs={"tokens": tokens, "tokens_b": tokens_b},
            targets=class_indices(pairs.first, self.spec.classes),
            ids=pairs.first.ids,
            texts=[BETWEEN.join(both) for both in zip(pairs.first.texts, pairs.second.texts, strict=True)],
            lengths=longer.astype(np.int32),
        )

    def read(self, path: str | os.PathLike[str], columns: Mapping[str, str]) -> Split:
        """Reads and encodes a user's file; it is unlabelled where it has no label column.

        Args:
            path: See `data.files.read_table`.
            columns: text_column, text_b_column, label_column, id_column, where they differ from the training data's.
                A file without the id column is numbered by row.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file is malformed, a cell is missing, or a label is not a class.
        """
        reader = dataclasses.replace(self, **columns)
        table = read_table(path)
        for field, name in columns.items():
            table.column(name, f"data.{field}")  # what the user names must be there
        return reader.encode_pairs(
            _table_pairs(
                table,
                text_column=reader.text_column,
                text_b_column=reader.text_b_column,
                label_column=reader.label_column if reader.label_column in table.columns else None,
                id_column=reader.id_column if reader.id_column in table.columns else "",
            )
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, at once or not at all.

        Args:
            path: The file; its folder must exist.
        """
        content = {
            "format": self.FORMAT,
            "spec": self.spec.to_dict(),
            "columns": {
                "text": self.text_column,
                "text_b": self.text_b_column,
                "label": self.label_column,
                "id": self.id_column,
            },
            "tokenizer": json.loads(self.tokenizer.to_str()),
        }
        write_text(path, json.dumps(content))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "PairPreprocessor":
        """Restores what `save` wrote; it encodes the same, bit for bit."""
        return cls(
            spec=TextSpec.from_dict(content["spec"]),
            tokenizer=Tokenizer.from_str(json.dumps(content["tokenizer"])),
            **{f"{name}_column": column for name, column in content["columns"].items()},
        )


def load(config: ml_collections.ConfigDict) -> Dataset:
    """Loads the pairs that a config names; the same config gives the same arrays.

    Args:
        config: `config.data` with a path, or a name "tfds:...", and the names of both text columns.

    Returns:
        Splits "train", "validation" and "test", all labelled; see data.text.load.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong column, cell or limit.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    columns = {
        field: config[field] for field in ("text_column", "text_b_column", "label_column", "id_column")
    }
    if config.weights:
        raise ValueError(f"data.weights: pairs of texts have none, found {config.weights!r}")
    if config.path:
        name = Path(config.path).name
        paths = {"train": config.path, "validation": config.path_validation, "test": config.path_test}
        splits = {s: _table_pairs(read_table(path), **columns) for s, path in paths.items() if path}
        classes = sorted_classes(splits["train"].first.labels, config.path)
    else:
        name = config.name
        splits, classes = _read_builder(config)
    absent = [split for split in ("test", "validation") if split not in splits]
    parts = stratified_splits(splits["train"].first.labels, absent, config.split_seed, config.path or name)
    splits = {**splits, **{split: splits["train"].take(indices) for split, indices in parts.items()}}
    train = splits["train"]
    kept = take_fraction(train.first.labels, len(train), config.train_fraction, config.split_seed)
    splits["train"] = train.take(kept)
    preprocessor = PairPreprocessor.fit(
        splits["train"],
        classes,
        min_count=config.min_count,
        max_vocab=config.max_vocab,
        max_length=config.max_length,
        extra_words=extra_words(config),
        **columns,
    )
    encoded = {split: preprocessor.encode_pairs(splits[split]) for split in ("train", "validation", "test")}
    return Dataset(name, encoded, preprocessor.spec, preprocessor)


def _read_builder(config: ml_collections.ConfigDict) -> tuple[dict[str, Pairs], tuple[str, ...]]:
    from data.tfds_text import find_builder, tfds_splits  # imports TFDS

    builder = find_builder(config.name.removeprefix("tfds:"), cache_folder(config.dir) / "tfds")
    first, classes = tfds_splits(builder, config.text_column, config.label_column, config.id_column)
    second, _ = tfds_splits(builder, config.text_b_column, config.label_column, "")
    splits = {split: Pairs(first[split], second[split]) for split in first}
    return splits, tuple(classes) or sorted_classes(first["train"].labels, config.name)


def _table_pairs(
    table: Table, *, text_column: str, text_b_column: str, label_column: str | None, id_column: str
) -> Pairs:
    table.column(text_b_column, "data.text_b_column")  # or it is refused under the other one's name
    first, second = (
        table_examples(table, text_column=text, label_column=label, id_column=name, weights_column="")
        for text, label, name in ((text_column, label_column, id_column), (text_b_column, None, ""))
    )
    return Pairs(first, second)

"""Loads sentences whose order matters, `config.data` -> encoded splits: each with a twin of the same words."""

import dataclasses
import itertools
import zlib
from collections.abc import Mapping, Sequence

import ml_collections
import numpy as np
from tokenizers import Tokenizer

from data import pairs, text
from data.dataset import Dataset
from data.examples import Examples, checked_examples
from data.nearest import nearest
from data.order_grammar import SPLITS, class_names, generate
from data.prepare import cache_folder, prepare, read
from data.splits import take_fraction
from data.text_preprocessor import TextPreprocessor
from data.vector_files import extra_words

# Our own data sets: what `config.data.name` may be beside "tfds:...".
NAMES = ("order_swaps", "order_grammar")

_SWAP_CLASSES = ("original", "swapped")


def load(config: ml_collections.ConfigDict) -> Dataset:
    """Loads the data that a config names; the same config gives the same arrays.

    In our own data sets an example and its twin are neighbours (rows 0 and 1, 2 and 3, …) of the same split and have
    the same bag of tokens, but different classes. `train_fraction` takes whole pairs of twins. A file of the user's
    own, or a TFDS data set, is one of sentences, as in the sentiment task, or of pairs of sentences where
    `text_b_column` is set.

    Args:
        config: `config.data`: the fields of the sentiment task and text_b_column, max_examples (order_swaps),
            question, level, num_nouns, num_verbs, num_adjectives, num_train, num_test (order_grammar), seed (both).

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong name, column, cell, size or limit, or a wheel with another checksum.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    if config.seed < 0:
        raise ValueError(f"data.seed must not be negative, got {config.seed}")
    for field in ("path_validation", "path_test"):
        if config[field] and not config.path:
            raise ValueError(f"data.{field}={config[field]} needs data.path, the file to train on")
    if config.path or config.name.startswith("tfds:"):
        return pairs.load(config) if config.text_b_column else text.load(config)
    if config.weights not in ("", "idf"):
        raise ValueError(
            f"data.weights: expected '' or 'idf' for {config.name!r}, found {config.weights!r}: a column of weights "
            f"comes with a file of your own (data.path)"
        )
    if config.name == "order_grammar":
        return _load_grammar(config)
    if config.name == "order_swaps":
        return _load_swaps(config)
    raise ValueError(
        f"data.name: no data set {config.name!r}{nearest(config.name, NAMES)}; expected one of "
        f"{', '.join(map(repr, NAMES))}, tfds:NAME, or a file of your own in data.path"
    )


def swap_words(tokenizer: Tokenizer, texts: Sequence[str], max_length: int, seed: int) -> list[str | None]:
    """Exchanges two adjacent, different words of each text.

    The twin has the same tokens, two of them exchanged. Punctuation stays where it is, as it would tell the twins
    apart too easily. The place depends on the text and the seed, not on the vocabulary: with other training examples
    the twins are the same. Where neither word is in the vocabulary, nobody can tell these twins apart.

    Args:
        tokenizer: Says where words begin and end, and which are the same.
        texts: N texts.
        max_length: How many tokens are read: what is exchanged lies among them.
        seed: Fixes the places.

    Returns:
        N texts; None for one without two such words.
    """
    twins: list[str | None] = []
    for original, encoding in zip(
        texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True
    ):
        spans = encoding.offsets[:max_length]
        words = [tokenizer.normalizer.normalize_str(original[start:end]) for start, end in spans]
        places = [
            i
            for i, (word, following) in enumerate(itertools.pairwise(words))
            if word != following and word[0].isalnum() and following[0].isalnum()
        ]
        if not places:
            twins.append(None)
            continue
        i = places[zlib.crc32(f"{seed} {original}".encode()) % len(places)]
        (start, end), (next_start, next_end) = spans[i], spans[i + 1]
        twins.append(
            original[:start]
            + original[next_start:next_end]
            + original[end:next_start]
            + original[start:end]
            + original[next_end:]
        )
    return twins


def _load_swaps(config: ml_collections.ConfigDict) -> Dataset:
    from data.order_swaps import OrderSwaps  # imports TFDS

    if config.max_examples < 2:
        raise ValueError(
            f"data.max_examples: expected at least 2, an example and its twin, found {config.max_examples}"
        )
    folder = cache_folder(config.dir)
    builder = prepare(lambda: OrderSwaps(data_dir=folder / "tfds"), folder / "wheels")
    rows = {
        split: [(row["id"].decode(), row["text"].decode()) for row in read(builder, split)]
        for split in ("train", "validation", "test")
    }
    order = np.random.default_rng(config.seed).permutation(len(rows["train"]))
    chosen = np.sort(order[: config.max_examples // 2])
    chosen = chosen[take_fraction(None, len(chosen), config.train_fraction, config.split_seed)]
    rows["train"] = [rows["train"][i] for i in chosen]

    preprocessor = _fit(config, [original for _, original in rows["train"]], _SWAP_CLASSES)
    splits = {}
    for split, named in rows.items():
        twins = swap_words(
            preprocessor.tokenizer, [original for _, original in named], config.max_length, config.seed
        )
        splits[split] = _twin_examples(
            [
                (name, (original, twin), _SWAP_CLASSES)
                for (name, original), twin in zip(named, twins, strict=True)
                if twin is not None
            ]
        )
    return _encode(config, splits, preprocessor)


def _load_grammar(config: ml_collections.ConfigDict) -> Dataset:
    for field in ("num_train", "num_test"):
        if config[field] < 2:
            raise ValueError(
                f"data.{field}: expected at least 2, a sentence and its twin, found {config[field]}"
            )
    generated = generate(
        question=config.question,
        level=config.level,
        num_nouns=config.num_nouns,
        num_verbs=config.num_verbs,
        num_adjectives=config.num_adjectives,
        num_pairs={
            split: (config.num_train if split == "train" else config.num_test) // 2 for split in SPLITS
        },
        seed=config.seed,
    )
    longest = max(twins.length for found in generated.values() for twins in found)
    if longest > config.max_length:
        raise ValueError(
            f"data.max_length: expected at least {longest}, the longest sentence, found {config.max_length}"
        )
    train = generated["train"]
    kept = take_fraction(None, len(train), config.train_fraction, config.split_seed)
    generated["train"] = [train[i] for i in kept]
    splits = {
        split: _twin_examples([(str(i), twins.texts, twins.labels) for i, twins in enumerate(found)])
        for split, found in generated.items()
    }
    return _encode(config, splits, _fit(config, splits["train"].texts, class_names(config.question)))


def _twin_examples(twins: Sequence[tuple[str, tuple[str, str], tuple[str, str]]]) -> Examples:
    """Returns 2N examples of N (name, texts, classes) of twins, neighbour by neighbour."""
    return checked_examples(
        texts=[text for _, texts, _ in twins for text in texts],
        labels=[label for _, _, labels in twins for label in labels],
        ids=[f"{name}/{label}" for name, _, labels in twins for label in labels],
        weights=None,
        where=lambda i: f"sentence {i}",
    )


def _fit(config: ml_collections.ConfigDict, texts: Sequence[str], classes: Sequence[str]) -> TextPreprocessor:
    return TextPreprocessor.fit(
        checked_examples(texts, None, None, None, where=lambda i: f"sentence {i}"),
        classes,
        min_count=config.min_count,
        max_vocab=config.max_vocab,
        max_length=config.max_length,
        weights=config.weights,
        text_column="text",
        label_column="label",
        id_column="",
        extra_words=extra_words(config),
    )


def _encode(
    config: ml_collections.ConfigDict, splits: Mapping[str, Examples], preprocessor: TextPreprocessor
) -> Dataset:
    """Encodes all splits, with a slot for every word of the longest sentence: not of training alone.

    So a held-out sentence is read to its end, by parameters that no training sentence has reached where a combiner has
    some for every slot.
    """
    preprocessor = _with_slots(preprocessor, config.max_length)
    encoded = {split: preprocessor.encode_examples(examples) for split, examples in splits.items()}
    longest = max(int(split.lengths.max()) for split in encoded.values())
    preprocessor = _with_slots(preprocessor, longest)
    encoded = {
        name: dataclasses.replace(split, inputs={key: a[:, :longest] for key, a in split.inputs.items()})
        for name, split in encoded.items()
    }
    return Dataset(config.name, encoded, preprocessor.spec, preprocessor)


def _with_slots(preprocessor: TextPreprocessor, num_slots: int) -> TextPreprocessor:
    spec = dataclasses.replace(preprocessor.spec, num_slots=num_slots)
    return dataclasses.replace(preprocessor, spec=spec)

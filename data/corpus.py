"""Loads running text as numbered words: `config.data` -> memory-mapped arrays, tokenised once and kept on disk."""

import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import ml_collections
import numpy as np
from jaxtyping import Int32, Int64

from data.corpus_build import ENDS_FILE, META_FILE, TOKENS_FILE, WORDS_FILE, build
from data.corpus_sources import Documents, Source, TextFiles
from data.corpus_vocabulary import CorpusVocabulary
from data.nearest import nearest
from data.prepare import cache_folder, prepare

if TYPE_CHECKING:  # a text file needs no TFDS, which takes a while to import
    import tensorflow_datasets as tfds

# Our own corpora: what `config.data.name` may be beside "tfds:...".
NAMES = ("english/full", "english/small")
_TOKENISATION = 1  # raised when the same text would give other tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """N words of running text in sentences, as rows of a vocabulary of V words.

    Words that are not in the vocabulary are gone, as in word2vec, so that windows reach over them; no window is to
    reach over a sentence's end. Sentence i is `tokens[ends[i - 1] : ends[i]]`, from 0 for the first, of 1 to 10,000
    words.

    Attributes:
        name: "english/full", "tfds:lm1b", "corpus.txt", ...
        words: By falling count, equal ones by code points.
        counts: int64 [V], how often each occurs in `tokens`.
        tokens: int32 [N], mapped from disk.
        ends: int64 [sentences], mapped from disk.
        num_raw_words: Words of the text, those that are not in the vocabulary among them.
        digest: Of the four arrays' content; "" where they do not come from `load`.
    """

    name: str
    words: tuple[str, ...]
    counts: Int64[np.ndarray, "V"]
    tokens: Int32[np.ndarray, "N"]
    ends: Int64[np.ndarray, "sentences"]
    num_raw_words: int
    digest: str = ""

    @property
    def vocabulary(self) -> CorpusVocabulary:
        """What a run saves beside its parameters."""
        return CorpusVocabulary(self.words, self.counts)

    def fingerprint(self) -> str:
        """Returns a digest of words, tokens and sentences, by which a resumed run sees that its data changed."""
        return self.digest

    def sentences(self) -> Iterator[list[str]]:
        """Yields the sentences as lists of words, as other libraries take them."""
        start = 0
        for end in self.ends:
            yield [self.words[row] for row in self.tokens[start:end].tolist()]
            start = end


def load(config: ml_collections.ConfigDict) -> Corpus:
    """Loads the corpus that a config names, tokenising it where that was not done before.

    What was tokenised lies in `corpora` of the cache folder and is used until the source changes: a file's size or
    time of change, a builder's version.

    Args:
        config: `config.data`: name, one of NAMES or tfds:NAME; path, text files that replace it (.gz too; several
            between commas, or a pattern), one sentence a line; dir; text_column, of TFDS; min_count; max_vocab, 0 for
            no limit.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong name, limit or feature, a text that cannot be read, or that holds nothing to learn from.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    if config.min_count < 1:
        raise ValueError(f"data.min_count: expected at least 1, found {config.min_count}")
    if config.max_vocab < 0 or config.max_vocab == 1:
        raise ValueError(f"data.max_vocab: expected 0 (no limit) or at least 2, found {config.max_vocab}")
    source = TextFiles(config.path) if config.path else _documents(config)
    limits = {"min_count": config.min_count, "max_vocab": config.max_vocab}
    key = json.dumps([_TOKENISATION, source.identity, limits], sort_keys=True)
    readable = re.sub(r"\W+", "-", source.name)[:40]
    root = cache_folder(config.dir) / "corpora"
    folder = root / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return _cached(folder, source) or _build_alone(folder, source, limits)


def _build_alone(folder: Path, source: Source, limits: Mapping[str, int]) -> Corpus:
    """Builds the corpus aside and renames it when it is whole; one process builds while others wait."""
    root = folder.parent
    locks = root / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / folder.name):
        if corpus := _cached(folder, source):  # another process was faster
            return corpus
        prefix = f".{folder.name}-"
        for leftover in root.glob(f"{prefix}*"):  # of a killed run: whoever holds the lock is alone
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=prefix) as temporary:
            built = Path(temporary, "built")
            built.mkdir()
            build(source, built, **limits)
            if folder.exists():  # outdated, or damaged
                os.replace(folder, Path(temporary, "old"))
            os.replace(built, folder)
        corpus = _cached(folder, source)
    if corpus is None:
        raise ValueError(f"{source.name}: changed while it was read; run again")
    return corpus


def _cached(folder: Path, source: Source) -> Corpus | None:
    """Returns the corpus that `build` left in the folder, or None where it is not there, outdated or not whole."""
    try:
        meta = json.loads((folder / META_FILE).read_bytes())
        tokens, ends = folder / TOKENS_FILE, folder / ENDS_FILE
        sizes = tokens.stat().st_size, ends.stat().st_size
        if meta["state"] != source.state() or sizes != (4 * meta["num_tokens"], 8 * meta["num_sentences"]):
            return None
        vocabulary = CorpusVocabulary.from_dict(json.loads((folder / WORDS_FILE).read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return Corpus(
        name=source.name,
        words=vocabulary.words,
        counts=vocabulary.counts,
        tokens=np.memmap(tokens, np.int32, "r"),
        ends=np.memmap(ends, np.int64, "r"),
        num_raw_words=meta["num_raw_words"],
        digest=meta["digest"],
    )


def _documents(config: ml_collections.ConfigDict) -> Documents:
    name, folder = config.name, cache_folder(config.dir)
    if name in NAMES:
        from data.english import English  # imports TFDS

        @functools.cache
        def find() -> tuple["tfds.core.DatasetBuilder", str]:
            variant = name.removeprefix("english/")
            return prepare(
                lambda: English(config=variant, data_dir=folder / "tfds"), folder / "wheels"
            ), "text"

        return Documents(name, {"name": name, "version": str(English.VERSION)}, find)
    if not name.startswith("tfds:"):
        raise ValueError(
            f"data.name: no corpus {name!r}{nearest(name, NAMES)}; expected one of {', '.join(map(repr, NAMES))}, "
            f"tfds:NAME, or a text file of your own in data.path"
        )
    from data.tfds_text import find_builder

    builder = find_builder(name.removeprefix("tfds:"), folder / "tfds")
    feature = _text_feature(builder, config.text_column)
    identity = {"name": builder.info.full_name, "folder": str(builder.data_dir), "feature": feature}
    return Documents(name, identity, lambda: (builder, feature))


def _text_feature(builder: "tfds.core.DatasetBuilder", wanted: str) -> str:
    """Returns the feature that holds the text: the one that is wanted, or for the default "text" the only text."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    texts = [name for name in features if isinstance(features[name], tfds.features.Text)]
    if "train" not in builder.info.splits:
        raise ValueError(
            f"tfds:{builder.name}: no split 'train'; found {', '.join(sorted(builder.info.splits))}"
        )
    if wanted in texts:
        return wanted
    if wanted == "text" and len(texts) == 1:
        return texts[0]
    found = (
        f"texts are {', '.join(map(repr, texts))}" if texts else f"it has no text, but {', '.join(features)}"
    )
    raise ValueError(
        f"tfds:{builder.name}: no text feature {wanted!r}{nearest(wanted, texts)} (data.text_column); {found}"
    )

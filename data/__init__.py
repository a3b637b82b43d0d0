"""Data: a config -> NumPy splits, a specification and a preprocessor; or running text as numbered words."""

from data.corpus import Corpus
from data.corpus_vocabulary import CorpusVocabulary
from data.dataset import Dataset, Preprocessor, Spec, Split, TextSpec
from data.files import Table, read_table
from data.tasks import LOADERS, load, load_preprocessor

__all__ = [
    "LOADERS",
    "Corpus",
    "CorpusVocabulary",
    "Dataset",
    "Preprocessor",
    "Spec",
    "Split",
    "Table",
    "TextSpec",
    "load",
    "load_preprocessor",
    "read_table",
]

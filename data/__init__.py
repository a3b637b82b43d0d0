"""Data: a config -> NumPy splits, a specification and a preprocessor."""

from data.dataset import Dataset, Preprocessor, Spec, Split
from data.files import Table, read_table
from data.text import NAMES, load
from data.text_preprocessor import TextPreprocessor, load_preprocessor, read_split

__all__ = [
    "NAMES",
    "Dataset",
    "Preprocessor",
    "Spec",
    "Split",
    "Table",
    "TextPreprocessor",
    "load",
    "load_preprocessor",
    "read_split",
    "read_table",
]

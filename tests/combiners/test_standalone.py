"""Checks that combiners/ works alone: copied into an empty folder under another name, with nothing of this project."""

import ast
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "combiners").rglob("*.py"))
ALLOWED = {"jax", "flax", "numpy", "jaxtyping"} | sys.stdlib_module_names

# -I: neither the current folder nor PYTHONPATH is on the path.
SCRIPT = """
import pathlib, site, sys
folder, root = map(pathlib.Path, sys.argv[1:])
assert not any(pathlib.Path(p or ".").resolve() == root for p in sys.path), sys.path
sys.path.insert(0, str(folder))
import jax.numpy as jnp
from flax import nnx
import vendored
import vendored.check
x = jnp.arange(8.0).reshape(2, 2, 2)
mask = jnp.array([[True, True], [False, False]])
for name in ("sum", "concat", "attention", "role_filler", "gru", "multi"):
    combiner = vendored.make_combiner(name, num_vectors=2, dim=2, rngs=nnx.Rngs(0))
    y = combiner(x, mask)
    assert y.shape == (2, combiner.out_dim), name
    assert jnp.isfinite(y).all() and y[0].any() and not y[1].any(), name
files = [pathlib.Path(m.__file__).resolve() for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
environment = pathlib.Path(sys.prefix)
ours = [file for file in files if file.is_relative_to(root) and not file.is_relative_to(environment)]
assert not ours, ours
print(sum(file.is_relative_to(folder.resolve()) for file in files), "files of the copy")
"""


def test_a_copy_in_an_empty_folder_works_without_the_project(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "combiners", tmp_path / "vendored", ignore=ignored)
    command = [sys.executable, "-I", "-c", SCRIPT, str(tmp_path), str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{len(FILES)} files of the copy"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_are_relatives_jax_flax_numpy_jaxtyping_and_the_standard_library(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= ALLOWED, ast.unparse(node)
        if isinstance(node, ast.ImportFrom):
            within = 1 <= node.level <= len(path.relative_to(ROOT / "combiners").parts)
            assert within or (node.level == 0 and node.module.partition(".")[0] in ALLOWED), ast.unparse(node)

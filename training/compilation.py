"""Where compiled programs are kept between runs."""

import pathlib

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache


def use_compilation_cache(folder: str) -> None:
    """Keeps compiled programs between runs: in a folder, the per-user cache folder ('') or nowhere ('off')."""
    wanted = {"jax_enable_compilation_cache": folder != "off"}
    if folder != "off":
        default = pathlib.Path(platformdirs.user_cache_dir("combiner-ablations")) / "compiled"
        wanted["jax_compilation_cache_dir"] = folder or str(default)
        wanted["jax_persistent_cache_min_compile_time_secs"] = 0.1
    if all(getattr(jax.config, name) == value for name, value in wanted.items()):
        return
    for name, value in wanted.items():
        jax.config.update(name, value)
    # JAX looks at the settings once, when it first compiles; another run in this process may want others.
    compilation_cache.reset_cache()

"""Where compiled programs are kept between runs."""

import pathlib

import jax
import platformdirs


def use_compilation_cache(folder: str, *, with_names: bool = False) -> None:
    """Keeps compiled programs between runs: in a folder, the per-user cache folder ('') or nowhere ('off').

    Args:
      folder: see above.
      with_names: whether a kept program serves only where its operations came from the same lines and scopes, which
        a profile tells; otherwise the same operations are enough.
    """
    jax.config.update("jax_compilation_cache_include_metadata_in_key", with_names)
    if folder == "off":
        jax.config.update("jax_enable_compilation_cache", False)
        return
    folder = folder or str(pathlib.Path(platformdirs.user_cache_dir("combiner-ablations")) / "compiled")
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

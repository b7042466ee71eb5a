"""What an installation without extras lacks, in words: ``pip install 'sparsitysolver[bench,report]'`` has all."""

_PACKAGES = {
    "bench": ("snakemake", "lm_eval", "stable_baselines3", "gymnasium", "cma", "optuna", "prodigyopt", "requests"),
    "report": ("pandas", "matplotlib", "scipy", "tabulate", "markdown_it"),
}


def missing_extra(error: ModuleNotFoundError) -> str:
    """One sentence on a package that an extra would bring; empty for any other."""
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, packages in _PACKAGES.items() if package in packages), None)
    if extra is None:
        return ""
    return f"this needs {package}, which is not installed: pip install 'sparsitysolver[{extra}]'."

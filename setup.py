"""What ``pyproject.toml`` cannot say: the folder ``config`` is installed as a part of the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["sparsitysolver*", "baselines*"]), "sparsitysolver.configuration"],
    package_dir={"sparsitysolver.configuration": "config"},
    package_data={
        "": ["py.typed", "*.pyi", "*.j2", "*.mplstyle", "*.yaml", "*.json", "*.safetensors"],
        "sparsitysolver.models": ["tiny/*/*"],
        "sparsitysolver.configuration": ["*", "*/*"],
    },
)

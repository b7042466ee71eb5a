from pathlib import Path

from sparsitysolver.library import Pruned as Pruned
from sparsitysolver.library import evaluate as evaluate
from sparsitysolver.library import load_pruned as load_pruned
from sparsitysolver.library import prune as prune
from sparsitysolver.library import search as search

__version__: str
ROOT: Path
CONFIG_VARIABLE: str
CONFIG: Path

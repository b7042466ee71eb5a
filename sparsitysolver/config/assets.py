"""Where models and texts come from: those bundled here, an assets folder in place of the hub, or the hub (no torch)."""

import os
from dataclasses import dataclass
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError

BUNDLED = Path(__file__).parents[1] / "models" / "tiny"
ASSETS_VARIABLE = "SPARSITYSOLVER_ASSETS"
_ASSET_MODEL = "assets:"  # begins the names of models of the assets folder


@dataclass(frozen=True)
class Assets:
    """An assets folder (``models/<key>/``, ``wikitext2/``, ``c4/``, ``tasks/``), or none: the hub."""

    folder: Path | None

    @classmethod
    def from_environment(cls, folder: str | Path | None = None) -> "Assets":
        """The folder given, else that of ``SPARSITYSOLVER_ASSETS``, else none; it must exist."""
        chosen = folder or os.environ.get(ASSETS_VARIABLE)
        if not chosen:
            return cls(None)
        if not Path(chosen).is_dir():
            raise SparsitySolverError(f"assets folder {chosen} does not exist.")
        return cls(Path(chosen))

    def models(self) -> list[str]:
        """Names of the models that it holds; none where there is no folder."""
        return sorted(path.parent.name for path in self.folder.glob("models/*/config.json")) if self.folder else []

    def to_environment(self) -> None:
        """Make this the folder of all commands that this process starts, or none: a path in no rule decides nothing."""
        if self.folder is None:
            os.environ.pop(ASSETS_VARIABLE, None)
        else:
            os.environ[ASSETS_VARIABLE] = str(self.folder.absolute())

    def existing(self, relative: str, what: str) -> Path:
        """A path inside the folder; a missing one is an error that says what was wanted and where it was looked for."""
        assert self.folder is not None
        path = self.folder / relative
        if not path.exists():
            raise SparsitySolverError(
                f"{what} was looked for at {path} and is not there; put it there, fill the folder with "
                f"'sparsitysolver assets download --to {self.folder}', or unset {ASSETS_VARIABLE} to use the hub."
            )
        return path


def asset_model(name: str) -> str:
    """A model of the assets folder, ``models/NAME``, as MODEL of the command line: ``assets:NAME``."""
    return f"{_ASSET_MODEL}{name}"


def named_asset_model(model: str) -> str | None:
    """The name in ``assets:NAME``; None for any other MODEL."""
    return model.removeprefix(_ASSET_MODEL) if model.startswith(_ASSET_MODEL) else None

"""What ``prune --format hub`` puts into a record for the model card: origin, precision, perplexity before and after."""

import argparse
import importlib
import math
from pathlib import Path

import numpy as np
import torch
from transformers.utils import cached_file

from sparsitysolver.config.registry import MethodRow, models_table
from sparsitysolver.data.sampling import Sample
from sparsitysolver.data.windows import Windows
from sparsitysolver.evaluation.cells import perplexity_fingerprint, perplexity_leakage
from sparsitysolver.evaluation.perplexity import perplexity, window_losses
from sparsitysolver.hub.card import CARD, hub_record, licence_in
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.models.source import ModelSource
from sparsitysolver.provenance import provenance
from sparsitysolver.records.files import Json
from sparsitysolver.records.seen import seen_by
from sparsitysolver.stages import common

_CALIBRATION_TOKENS = 1 << 15  # of the calibration windows, so many are enough to see what pruning did
_OF_THIS_MACHINE = ("host", "command")  # of a record's run: nobody's business who gets the model


class CardFacts:
    """Measured around one pruning: made while the model is dense, :meth:`record` asked when it is pruned."""

    def __init__(self, args: argparse.Namespace, row: MethodRow, loaded: LoadedModel) -> None:
        self.args, self.row, self.loaded = args, row, loaded
        self._windows: Windows | None = None
        self._sample: Sample | None = None
        self._before = np.empty(0)

    def start(self) -> None:
        """Measure the dense model on the text that was named, if one was."""
        if self.args.card_text:
            self._windows = common.windows_of(self.args, self.loaded, "test", self.args.card_text)
            self._before = self._losses()

    def drawn(self, sample: Sample) -> None:
        """Measure the model, still dense, on calibration windows, where no text was named."""
        if self._windows is None and self._sample is None:
            self._sample = sample
            self._before = self._losses()

    def _losses(self) -> np.ndarray:
        if self._windows is not None:
            return common.losses_of(self.loaded, self._windows)
        ids = self._sample.ids[: max(1, _CALIBRATION_TOKENS // self._sample.ids.shape[1])]
        return window_losses(self.loaded.adapter, torch.from_numpy(ids.astype(np.int64)), lead=self.loaded.lead)

    def record(self, record: Json, code: bool) -> Json:
        """A pruning record with what the card needs, and without what only concerns this machine.

        ``code``: whether the folder will hold a file of code.
        """
        parts = {"pruning": self.row.pruner}
        if self.row.allocator:
            same = self.row.allocator == self.row.pruner
            parts = {"allocation and pruning": self.row.pruner} if same else {"allocation": self.row.allocator} | parts
        files = {part: importlib.import_module(f"baselines.{name}") for part, name in parts.items()}
        about = hub_record(
            base_model=self._base_model(),
            licence=licence_in(_card_of(self.loaded.source)),
            dtype=self.loaded.stored,
            computed_in=self.loaded.dtype,
            code=code,
            papers={part: f"{file.NAME} ({file.REFERENCE})" for part, file in files.items()},
        )
        return record | {
            "hub": about | {"perplexity": self._perplexity(record)},
            "provenance": provenance(self.loaded.device, self.args.threads, record["seeds"]),
            "run": {name: value for name, value in record["run"].items() if name not in _OF_THIS_MACHINE},
        }

    def _base_model(self) -> str | None:
        """The dense model's id on the hub: as it was asked for, or that of the key of ``config/models.tsv`` given."""
        source, row = self.loaded.source, models_table().get(self.args.model)
        if source.revision is not None:
            return source.location
        return row.hub_id or None if row and source.location != self.args.model else None

    def _perplexity(self, record: Json) -> Json | None:
        if not self._before.size:
            return None
        told = {
            "before": _finite(self._before),
            "after": _finite(self._losses()),
            "windows": len(self._before),
            "dtype": self.loaded.dtype,
        }
        if self._windows is None:
            ids, origin = self._sample.ids, self._sample.origin
            own = {"text": origin["source"], "split": origin.get("split"), "seen": True, "near": True}
            return told | own | {"seqlen": ids.shape[1] - self.loaded.lead, "drawn": len(ids), "bos": origin.get("bos")}
        windows, text = self._windows, self._windows.text
        leakage = perplexity_leakage(text, seen_by(record))
        own = {"text": text.source, "split": text.split, "seen": False, "near": any(leakage.values())}
        protocol = perplexity_fingerprint(self.loaded, windows)
        return told | own | {"seqlen": windows.seqlen, "drawn": len(windows.ids), "bos": protocol["bos"]}


def _finite(losses: np.ndarray) -> float | None:
    value = perplexity(losses)
    return value if math.isfinite(value) else None


def _card_of(source: ModelSource) -> str:
    """The dense model's own card; empty where it has none, or none is to be had."""
    try:
        path = cached_file(source.location, CARD, revision=source.revision or "main")
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, ValueError):
        return ""

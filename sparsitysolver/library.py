"""The commands as functions of an ordinary transformers model: the same defaults, steps and results.

Every function takes the options of its command by their names (``sparsitysolver prune --help``), as keywords with
underscores; a mistake is a :class:`sparsitysolver.errors.SparsitySolverError`.
"""

import argparse
import copy
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

import sparsitysolver.search as search_package
from sparsitysolver.commands import COMMANDS
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.extras import missing_extra
from sparsitysolver.models import checkpoint_files, inspection
from sparsitysolver.models.adapter import adapt, adapter_class
from sparsitysolver.models.loading import LoadedModel, load_pruned
from sparsitysolver.models.source import ModelSource
from sparsitysolver.options import Option, number, whole_number
from sparsitysolver.records.files import Json, content_key, read_record, validate, write_json

__all__ = ["Pruned", "evaluate", "load_pruned", "prune", "search"]

# A text by name or path, texts, or token ids (nsamples, seqlen).
Calibration = str | Path | Sequence[str] | np.ndarray | torch.Tensor
_OF_THE_CALLER = ("model", "device", "dtype", "threads", "gpus", "out", "json", "allow_skip")  # options not to be given


@contextmanager
def _with_extras() -> Iterator[None]:
    """Say which extra a missing package belongs to."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not missing_extra(error):
            raise
        raise SparsitySolverError(missing_extra(error)) from error


@dataclass(frozen=True)
class Pruned:
    """A pruned model.

    Attributes:
        model: ready for ``generate`` and training.
        tokenizer: the one given.
        record: what ``pruning.json`` of a folder holds: method, sizes, calibration, seeds, what was seen.
        strategy: how much each unit keeps (the record of a strategy file); None for methods without allocation.
    """

    model: PreTrainedModel
    tokenizer: Any
    record: Json
    strategy: Json | None
    _made: Any
    _format: str

    @property
    def sparsity(self) -> float:
        """Achieved: fraction of the prunable weights that is gone."""
        return self.record["size"]["achieved_sparsity"]

    def save(self, folder: str | Path) -> None:
        """Write the folder that ``prune`` writes, in the ``format`` that was asked for; it must be new or empty."""
        from sparsitysolver.stages import prune as stage

        stage.write(self._made, folder, self._format)


@_with_extras()
def prune(
    model: PreTrainedModel,
    tokenizer: Any,
    method: str,
    sparsity: float | None = None,
    calibration: Calibration | None = None,
    strategy: str | Path | Json | None = None,
    inplace: bool = False,
    **options: Any,
) -> Pruned:
    """Prune a dense model by a method of ``methods.tsv``; a copy of it, unless ``inplace`` saves that memory.

    Args:
        model: of a supported family, in the precision and on the device to prune in.
        tokenizer: its own.
        method: such as ``wanda``, ``flap``, ``sparsitysolver_recon``.
        sparsity: fraction of the prunable weights to remove (default: 0.2, or what ``pattern`` gives).
        calibration: name or path of a text, texts, or token ids (nsamples, seqlen); default: the method's own.
        strategy: of a search, as it returned it or as a file.
        inplace: whether ``model`` itself is changed.
        options: others of ``sparsitysolver prune``, such as ``nsamples=32``, ``format="hub"``.

    Raises:
        SparsitySolverError: the model, an option, or the method for this model.
    """
    from sparsitysolver.stages import prune as stage

    given = _Given(model, tokenizer, inplace)
    with _files(calibration=calibration, strategy=strategy) as (paths, folder):
        asked = {"method": method, "sparsity": sparsity, "out": str(folder / "out"), **paths}
        made = stage.pruned(_arguments("prune", given, asked, options))
    found = made.loaded.model.requires_grad_(True)
    return Pruned(found, tokenizer, made.record, made.record["strategy"], made, options.get("format", "sliced"))


@_with_extras()
def search(
    model: PreTrainedModel,
    tokenizer: Any,
    sparsity: float,
    calibration: Calibration | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Json:
    """Search how much of each unit to keep; returns the strategy, which :func:`prune` takes.

    Args:
        model: dense; it stays as it is.
        tokenizer: its own.
        sparsity: fraction of the prunable weights to remove.
        calibration: as of :func:`prune`.
        out: file of the strategy, with curve and agent beside it, from which a search that was stopped goes on; by
            default nothing is kept.
        options: others of ``sparsitysolver search``, such as ``algorithm="fastforward"``, ``episodes=50``.
    """
    from sparsitysolver.stages import search as stage

    with _files(calibration=calibration) as (paths, folder):
        path = Path(out) if out else folder / "strategy.json"
        stage.run(_arguments("search", _Given(model, tokenizer), {"sparsity": sparsity, "out": path, **paths}, options))
        return read_record(path, "strategy")


@_with_extras()
def evaluate(
    model: PreTrainedModel | Pruned, tokenizer: Any = None, task: str | Path | None = None, **options: Any
) -> Json:
    """Perplexity on a text or accuracy on a zero-shot task, as the record of a cell: ``["metrics"]["ppl"]["value"]``.

    Args:
        model: dense or pruned; of a :class:`Pruned` the record knows what its pruning has seen of ``task``.
        tokenizer: its own; that of a :class:`Pruned` by default.
        task: key of ``tasks.tsv``, or a file of text or documents (default: wikitext2; bundled models: mini).
        options: others of ``sparsitysolver evaluate``, such as ``seqlen=1024``, ``windows=16``, ``limit=200``.
    """
    from sparsitysolver.stages import evaluate as stage
    from sparsitysolver.stages.common import home_text

    record = model.record if isinstance(model, Pruned) else {}
    plain, tokenizer = (model.model, tokenizer or model.tokenizer) if isinstance(model, Pruned) else (model, tokenizer)
    training = plain.training
    given = _Given(plain, tokenizer, inplace=True)
    args = _arguments("evaluate", given, {"task": str(task or home_text(given.source))}, options)
    try:
        return stage.evaluated(args, record)
    finally:
        plain.train(training)


class _Given:
    """A caller's model as stages open one: each time a copy of its own, or the model itself."""

    def __init__(self, model: PreTrainedModel, tokenizer: Any, inplace: bool = False) -> None:
        if not isinstance(model, PreTrainedModel):
            raise SparsitySolverError(f"a model of transformers is needed; {type(model).__name__} was given.")
        if tokenizer is None:
            raise SparsitySolverError("a model without its tokenizer was given; give that too.")
        self.model, self.tokenizer, self.inplace = model, tokenizer, inplace
        config = model.config
        place = getattr(config, "_name_or_path", "") or config.model_type
        self.name = Path(place).name
        self.source = ModelSource(self.name, place, getattr(config, "_commit_hash", None))
        checkpoint_files.refuse_quantised(config, self.name)
        adapter_class(config).shape_of(config)
        inspection.check_finite(model, self.name, None)
        self.weights = _weights_sha256(model)

    def __call__(self, bos: str | None) -> LoadedModel:
        model = self.model if self.inplace else copy.deepcopy(self.model)
        adapter = adapt(model.eval())
        config = {name: value for name, value in model.config.to_dict().items() if not name.startswith("_")}
        return LoadedModel(
            model=model,
            adapter=adapter,
            tokenizer=self.tokenizer,
            source=self.source,
            weights_sha256=self.weights,
            model_sha256=content_key([self.weights, json.loads(json.dumps(config, default=str))], 64),
            dtype=str(model.dtype).removeprefix("torch."),
            device=str(model.device),
            **({"bos": bos} if bos else {}),
        )


def _weights_sha256(model: PreTrainedModel) -> str:
    """Identity of weights in memory: names, shapes, types and bytes of all tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _arguments(command: str, given: _Given, asked: Json, options: Json) -> argparse.Namespace:
    """Options of a command: its defaults, what the function sets, what the caller adds."""
    declared = COMMANDS[command].options
    allowed = [name for name in declared if name not in (*_OF_THE_CALLER, *asked)]
    for name, value in options.items():
        options = options | {known(f"option of {command}", name, allowed): _value(name, value, declared[name])}
    if "sparsity" in asked:
        asked = asked | {"sparsity": _value("sparsity", asked["sparsity"], declared["sparsity"])}
    defaults = {name: copy.copy(one.how.get("default")) for name, one in declared.items()}
    switches = {name: False for name, one in declared.items() if one.how.get("action") == "store_true"}
    values = defaults | switches | {"model": given.name, "threads": torch.get_num_threads(), "allow_skip": False}
    args = argparse.Namespace(**values | {k: v for k, v in (asked | options).items() if v is not None})
    args.given = lambda: given(getattr(args, "bos", None))
    return args


def _value(name: str, value: Any, declared: Option) -> Any:
    """An option's value as the command line would read it: of its type, and one of its choices."""
    read, choices = declared.how.get("type"), declared.how.get("choices")
    if value is None or isinstance(value, bool | list):
        return value
    try:
        value = {int: whole_number, float: number}.get(read, read)(str(value)) if read else value
    except argparse.ArgumentTypeError as error:
        raise SparsitySolverError(f"{name}: {error}.") from error
    return known(name, value, choices) if choices else value


@contextmanager
def _files(**given: Any) -> Iterator[tuple[dict[str, str], Path]]:
    """What a caller has in memory as the files that commands read, by option; and a folder that is removed behind."""
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), {}
        for option, value in given.items():
            if isinstance(value, torch.Tensor):
                value = value.cpu().numpy()
            if isinstance(value, str | Path):
                paths[option] = str(value)
            elif isinstance(value, np.ndarray):
                np.save(folder / f"{option}.npy", value)
                paths[option] = str(folder / f"{option}.npy")
            elif isinstance(value, dict):
                validate(value, "strategy", "what was given")
                write_json(folder / f"{option}.json", value)
                paths[option] = str(folder / f"{option}.json")
            elif value is not None:
                if not value or not all(isinstance(text, str) for text in value):
                    raise SparsitySolverError(
                        f"{option}: a name or path, a list of texts, or an array of token ids is needed; "
                        f"{type(value).__name__} {str(value)[:50]} was given."
                    )
                lines = "".join(json.dumps({"text": text}) + "\n" for text in value)
                (folder / f"{option}.jsonl").write_text(lines, encoding="utf-8")
                paths[option] = str(folder / f"{option}.jsonl")
        yield paths, folder


class _Callable(ModuleType):
    """Lets ``sparsitysolver.search(...)`` be the function here, though a package has that name."""

    def __call__(self, *args: Any, **options: Any) -> Json:
        return search(*args, **options)


search_package.__class__ = _Callable

"""All commands: what each one runs, and which options it takes (no torch)."""

import argparse
import os
from dataclasses import fields
from pathlib import Path

from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.config.bos import BOS_RULES
from sparsitysolver.config.chat_address import URL_VARIABLE
from sparsitysolver.config.registry import ZERO_SHOT_BATCH
from sparsitysolver.devices import cores_here
from sparsitysolver.document_commands import DOCUMENTS
from sparsitysolver.exchange.formats import AUTO, FORMATS, KEPT, LEVELS, REMOVED
from sparsitysolver.options import REQUIRED, Command, argument, option, options_of, whole_number
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.seeds import SEED_LIMIT


def seed(text: str) -> int:
    """An option's text as a seed that every generator in use takes."""
    value = whole_number(text)
    if not 0 <= value < SEED_LIMIT:
        raise argparse.ArgumentTypeError(f"'{text}' is no seed; seeds are 0 to {SEED_LIMIT - 1}")
    return value


SEED_INDEX = option(0, "index of the seed, kept in the result (default: %(default)s)", type=seed)
DENSE = {
    "model": argument(
        "MODEL", "dense model: hub id (owner/name, owner/name@revision), folder, or key of config/models.tsv"
    ),
    "assets": option(None, "assets folder in place of the hub (default: SPARSITYSOLVER_ASSETS)"),
}
MODEL = dict(
    DENSE
    | {"model": argument("MODEL", "hub id (owner/name, owner/name@revision), folder, or key of config/models.tsv")},
    device=option("auto", "auto, cpu, cuda, cuda:N (default: %(default)s)"),
    dtype=option("auto", "auto, float32, float16, bfloat16"),
    threads=option(
        lambda: os.environ.get("SPARSITYSOLVER_THREADS") or str(cores_here()),
        "torch threads (default: all cores, %(default)s)",
        type=int,
    ),
    gpus=option(1, "GPUs to lock for this job (default: %(default)s)"),
)
WINDOWED = dict(
    MODEL,
    seqlen=option(None, "window length in tokens (default: 2048 or the model's maximum)", type=int),
    bos=option(
        None,
        "none, first (the tokenizer's own, once) or every (one before each window) (default: the family's; Gemma: "
        "every, others: first)",
        choices=BOS_RULES,
    ),
)
TEXTS = "wikitext2, c4, mini, a zero-shot task, a file of text or documents, or a .npy of ids"
CALIBRATED = dict(
    WINDOWED,
    calibration=option(None, TEXTS, metavar="SOURCE"),
    items=option("search", "part of a task's items to calibrate or search on: search, or report (leaky)"),
    nsamples=option(None, "calibration windows (default: the method's own)", type=int),
    seed=option(0, "of the calibration windows, and of a search (default: %(default)s)", type=seed),
)
SEARCHED = dict(
    CALIBRATED | options_of(SearchSettings),
    text=option(None, "text of the reward windows (default: wikitext2; bundled models: mini)"),
    stats=option(None, "statistics file of calibrate for exactly these calibration windows"),
)
PRUNED = dict(
    SEARCHED,
    method=option(REQUIRED, "key of config/methods.tsv", "--prune_method"),
    sparsity=option(None, "default: 0.2, or what --pattern gives", "--sparsity_ratio", type=float),
    pattern=option(None, "N:M, such as 2:4 (magnitude, wanda, sparsegpt)", "--sparsity_type"),
    out=option(REQUIRED, "folder to write", "--save"),
    strategy=option(None, "strategy file for methods with an allocation"),
    format=option(
        "sliced",
        "sliced to size, padded with zeros, or for the hub: to size, for plain transformers (default: %(default)s)",
        choices=["sliced", "padded", "hub"],
    ),
    card_text=option(
        None, "of --format hub: text of the card's perplexities (default: the calibration windows)", metavar="TEXT"
    ),
    reconstruction_calibration=option(None, "windows of reconstruction; a task's own text too", metavar="SOURCE"),
    set=option([], "option of the method", metavar="NAME=VALUE"),
    seed_index=SEED_INDEX,
    allow_skip=option(
        False,
        "where the method does not support the model, write the reason for a cell of a grid (default: an error)",
    ),
)
STUDIED = dict(
    CALIBRATED,
    stats=option(None, "statistics file of calibrate for exactly the calibration windows"),
    task=option(None, "text to evaluate on (default: wikitext2; bundled models: mini)"),
    out=option(REQUIRED, "record to write (.json)"),
)
SCORED = dict(
    STUDIED,
    split=option("test", "test (reported, default) or validation"),
    windows=option(None, "so many windows, spread evenly (default: all)", type=int),
)
TO_REMOVE = option(REQUIRED, "share of the prunable weights to remove", "--sparsity_ratio", type=float)
SPLIT = option(None, "of a text: test (reported, default) or validation")
LIMIT = option(None, "of a zero-shot task: so many items, spread evenly (default: all)", type=int)
AS_JSON = option(False, "print one JSON object on the last line")
STRATEGY_OUT = option(REQUIRED, "strategy to write (.json)", type=Path)
TABLE_OUT = "table to write (.csv): name, kind, size, kept, density; strategy import reads it back"

GROUPS = {
    "strategy": "strategies from and to other tools' files, and from one model to another",
    "bench": "measure what an episode costs, and how fast pruned models are",
    "study": "what a component of the method is worth",
    "assets": "fill an assets folder for machines without network",
    "report": "collect cells, write tables and documents (no torch)",
}
COMMANDS = {
    "sample": Command(
        "draw calibration windows and write their token ids",
        "stages.sample",
        CALIBRATED,
        nsamples=option(64, "calibration windows (default: %(default)s)"),
        sampler=option("gptq", "gptq, slicegpt, svd_llm or svd_llm_update (default: %(default)s)"),
        out=option(REQUIRED, "file to write (.npy)"),
    ),
    "calibrate": Command(
        "one pass over the calibration windows: activation statistics",
        "stages.calibrate",
        CALIBRATED,
        method=option("sparsitysolver", "method whose default calibration is taken"),
        granularity=option(None, "structured or unstructured (default: the method's own; structured)"),
        out=option(REQUIRED, "file to write (.safetensors)"),
    ),
    "search": Command(
        "search how much of each unit to keep",
        "stages.search",
        SEARCHED,
        sparsity=TO_REMOVE,
        warm_start=option(None, "agent (.agent) of another search to start from", metavar="AGENT"),
        chat_url=option(
            None,
            f"OpenAI-compatible endpoint, such as http://localhost:8000/v1 (default: {URL_VARIABLE}, where a user, "
            "password or query may be part of it); its key in SPARSITYSOLVER_CHAT_KEY",
            metavar="URL",
        ),
        chat_model=option(None, "chat model of the endpoint; without an endpoint a folder or hub id", metavar="NAME"),
        replay=option(None, "recorded conversation (x.chat.jsonl) in place of a chat model", metavar="FILE"),
        chat_set=option(
            [], f"{', '.join(one.name for one in fields(ChatSettings))} (see docs/searches.md)", metavar="NAME=VALUE"
        ),
        out=option(REQUIRED, "strategy to write (.json); curve and agent go beside it"),
    ),
    "strategy import": Command(
        "a strategy from another tool's file of levels or ratios",
        "stages.strategy",
        file=argument("FILE", "levels, a list, or a table; see docs/strategies.md", type=Path),
        **DENSE,
        granularity=option(REQUIRED, "structured or unstructured"),
        sparsity=option(REQUIRED, "what the file was made for", type=float),
        format=option(AUTO, f"{', '.join(FORMATS)} (default: %(default)s)"),
        means=option(None, "what ratios are of, where the file does not say so", choices=(KEPT, REMOVED)),
        levels=option(LEVELS, "EvoPress's num_levels (default: %(default)s)"),
        project=option(False, "shift all ratios by one constant to meet the sparsity"),
        out=STRATEGY_OUT,
    ),
    "strategy transfer": Command(
        "a strategy of one model for another, by relative depth",
        "stages.strategy",
        strategy=argument("STRATEGY", "strategy of another model (.json)", type=Path),
        **DENSE,
        sparsity=option(None, "default: the strategy's target", type=float),
        out=STRATEGY_OUT,
    ),
    "strategy solve": Command(
        "the strategy of any sparsity from a surrogate search's measured table",
        "stages.strategy",
        table=argument("TABLE", "x.effects.json of search --algorithm surrogate", type=Path),
        sparsity=TO_REMOVE,
        out=STRATEGY_OUT,
    ),
    "strategy export": Command(
        "a strategy as a table of densities",
        "stages.strategy",
        strategy=argument("STRATEGY", "strategy (.json)", type=Path),
        out=option(REQUIRED, TABLE_OUT, type=Path),
    ),
    "prune": Command("prune a model and write it as a folder that is again a model", "stages.prune", PRUNED),
    "push": Command(
        "send a folder of prune --format hub to the hub",
        "stages.push",
        folder=argument("FOLDER", "folder that prune --format hub wrote"),
        name=argument("OWNER/NAME", "the model's name on the hub, made where it is not there"),
        private=option(False, "only you may see it (default: as the owner's settings say)"),
        revision=option(None, "branch, made where it is not there (default: main)"),
    ),
    "evaluate": Command(
        "perplexity or zero-shot accuracy of a dense or pruned model",
        "stages.evaluate",
        WINDOWED,
        task=option("wikitext2", "key of config/tasks.tsv, or a file of text or documents"),
        split=SPLIT,
        windows=option(None, "of a text: so many windows, spread evenly (default: all)", type=int),
        items=option(None, "of a zero-shot task: report (in tables, default), search or all"),
        limit=LIMIT,
        batch_size=option(None, f"of a zero-shot task: requests at a time (default: {ZERO_SHOT_BATCH})", type=int),
        json=AS_JSON,
        out=option(None, "cell file to write"),
    ),
    "cell": Command(
        "prune and evaluate a model in one go; the pruned model is not kept",
        "stages.cell",
        PRUNED,
        on=option(REQUIRED, "what to evaluate on, as --task of evaluate", metavar="TASK"),
        split=SPLIT,
        windows=option(None, "of a text: so many windows, spread evenly (default: all)", type=int),
        part=option(None, "of a zero-shot task's items: report (in tables, default), search or all"),
        limit=LIMIT,
    ),
    "bench episode": Command(
        "an episode against the pruned and the dense forward pass",
        "stages.bench",
        SEARCHED,
        sparsity=option(None, "default: 0.2, unstructured 0.5", type=float),
        rounds=option(6, "updates of 15 episodes to time (default: %(default)s)"),
        json=AS_JSON,
    ),
    "bench inference": Command(
        "prefill, decode and memory of pruned models against the dense one",
        "stages.inference",
        MODEL,
        pruned=argument("PRUNED", "folders that prune wrote from MODEL", nargs="*"),
        batch=option(1, "prompts at a time, all of one length (default: %(default)s)"),
        prompt_tokens=option(64, "tokens of each prompt (default: %(default)s)"),
        new_tokens=option(64, "tokens to generate for each (default: %(default)s)"),
        rounds=option(10, "times each model is measured (default: %(default)s)"),
        seed=option(0, "of the prompts, which are random tokens", type=seed),
        out=option(None, "record to write (.json)"),
        json=AS_JSON,
    ),
    "study reconstruction": Command(
        "perplexity by number of reconstruction samples and module",
        "stages.reconstruction_study",
        SCORED,
        sparsity=option(0.3, "default: %(default)s, as in the paper's Figure 5"),
        samples=option("1,2,4,8,16,32,64,128", "numbers of windows to reconstruct on"),
        strategy=option(None, "structured strategy file (default: the same sparsity for every layer)"),
        reconstruction_calibration=option(
            None, "windows of reconstruction (default: the calibration's)", metavar="SOURCE"
        ),
        json=AS_JSON,
    ),
    "study transfer": Command(
        "perplexity of a model under the strategies of others",
        "stages.transfer_study",
        SCORED,
        strategies=argument("STRATEGY", "strategy files, the model's own among them", nargs="+"),
        sparsity=option(0.2, "default: %(default)s"),
        criterion=option(None, "what ranks heads and neurons (default: l2)"),
    ),
    "study arena": Command(
        "all searches of one problem on the same windows",
        "stages.arena_study",
        STUDIED,
        strategies=argument("STRATEGY", "strategies of one model, curves beside them", nargs="+"),
        granularity=option("structured", "structured (default) or unstructured"),
        sparsity=TO_REMOVE,
        seed_index=SEED_INDEX,
        stats=option(None, "statistics file of calibrate --granularity unstructured for these windows"),
    ),
    "preflight": Command(
        "dense perplexity against the registry of published values",
        "stages.preflight",
        WINDOWED,
        task=option(None, "wikitext2 or mini (default: the model's own)"),
        json=AS_JSON,
        cell=option(None, "cell of the dense model to take the perplexity from instead of measuring it"),
        out=option(None, "file to write where nothing is off (.json)"),
    ),
    "assets download": Command(
        "fetch a grid's models and texts from the hub",
        "stages.assets",
        grid=option("opt125m", "grid whose models and texts are fetched (default: %(default)s)"),
        to=option(REQUIRED, "assets folder to fill", metavar="DIR"),
    ),
    **DOCUMENTS,
}

"""One file per allocator or pruner; the file's name is its name in the columns of ``config/methods.tsv``.

A file has ``NAME`` and ``REFERENCE`` (shown to readers), and any of

- ``skip(job) -> str | None``: a reason why this model or sparsity is not supported (it becomes a table footnote);
- ``allocate(job) -> list[int]``: how many items each unit of ``job.units`` keeps (an allocator);
- ``prune(job, kept) -> Outcome``: change ``job.adapter``'s model in place (a pruner); ``kept`` is None for methods
  that have no allocator;
- ``PATTERNS = True``: the pruner honours ``job.pattern`` (N:M) instead of ``kept``;
- ``GRAM``: the Gram matrices that the pruner inverts or decomposes; fewer tokens than channels are worth a warning.

Nothing here evaluates. A new file and a row in ``config/methods.tsv`` are all that a new baseline needs.
"""

"""One file per allocator or pruner; the file's name is its name in the columns of ``config/methods.tsv``.

A file has ``NAME`` and ``REFERENCE`` (shown to readers), and any of

- ``skip(job) -> str | None``: why this model or sparsity is not supported (a footnote of tables; by hand an error);
- ``allocate(job) -> list[int]``: how many items each unit of ``job.units`` keeps (an allocator);
- ``prune(job, kept) -> Outcome``: change ``job.adapter``'s model in place (a pruner); ``kept`` is None for methods
  that have no allocator;
- ``ratio(job) -> str``: what the sparsity asked for is a fraction of, where not of the prunable weights (a pruner);
- ``PATTERNS = True``: the pruner honours ``job.pattern`` (N:M) instead of ``kept``;
- ``WHOLE = False``: the pruner takes a matrix's sparsity itself, so ``kept`` may hold fractions of a column's worth;
- ``GRAM``: the Gram matrices that the pruner inverts or decomposes; fewer tokens than channels are worth a warning.

Nothing here evaluates. A new file and a row in ``config/methods.tsv`` are all that a new baseline needs.
"""

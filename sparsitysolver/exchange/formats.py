"""Names of formats and meanings; nothing is imported here, so that the command line can."""

AUTO, EVOPRESS, RATIOS, CSV = FORMATS = ("auto", "evopress", "ratios", "csv")
KEPT, REMOVED = "kept", "removed"  # what ratios are of
LEVELS = 8  # EvoPress's num_levels: the most steps away from uniform pruning

"""From collected results, ``results/KIND_NAME.csv``, to pictures: what ``figures/*.py`` draw with (no torch)."""

"""Records of jobs in, long tables out: cells.csv and its like, each read back whole and checked."""

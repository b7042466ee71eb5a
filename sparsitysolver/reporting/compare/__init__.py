"""Two numbers in, one judgement out: whether they may be compared, which is better, and how sure that is."""

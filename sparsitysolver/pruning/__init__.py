"""Units and budgets, scores, slicing, reconstruction: mathematics on tensors and counts."""

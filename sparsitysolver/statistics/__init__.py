"""Activation statistics: one pass over the calibration windows, and layer-by-layer replay on a changed prefix."""

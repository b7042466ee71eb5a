"""Text sources, calibration sampling and the bundled mini language."""

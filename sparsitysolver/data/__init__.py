"""Text sources, calibration samplers, token windows, the bundled mini language."""

"""What the scripts under ``figures/`` draw with: reading collected results, one style, panels (no torch)."""

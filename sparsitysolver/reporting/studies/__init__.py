"""Records of the arena, of transfer and of Self-Pruner in, their own tables out."""

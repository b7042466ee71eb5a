"""One file per allocator or pruner."""

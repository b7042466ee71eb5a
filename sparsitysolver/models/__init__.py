"""Model families: adapters, loading, shrunken structures. The only place that knows module paths."""

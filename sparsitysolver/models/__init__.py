"""Model families, loading, and the tiny models that ship with the repository."""

"""From cells to tables, verdicts and pages: reads records, never models (nothing here imports torch)."""

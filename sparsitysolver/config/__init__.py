"""What stands under ``config/`` and in ``--config``: files in, checked objects out, one reader each (no torch)."""

"""What jobs write and others read: strategies, cells, studies; one writer and one reader each (no torch)."""

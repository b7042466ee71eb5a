"""Long tables and a definition in, one measured table out, in the paper's layout, with its files."""

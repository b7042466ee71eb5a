"""Long tables and a definition in; a measured table in the paper's layout out, judged, with its files."""

"""Long tables and a definition in; one measured table in the paper's layout out, judged against the published one, with its files."""

"""Published tables in, audit.csv out: what their own arithmetic says of them, without any measurement."""

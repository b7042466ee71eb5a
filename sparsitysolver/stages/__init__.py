"""One file per subcommand: reads files, writes files, never imports another stage."""

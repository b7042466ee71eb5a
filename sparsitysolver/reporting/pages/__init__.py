"""Tables, verdicts and claims in, what people read out: Markdown, LaTeX and HTML."""

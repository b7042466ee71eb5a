"""How frames are written: CSV, Markdown, LaTeX; in: a frame of texts, out: a file or its text."""

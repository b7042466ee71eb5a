"""Which BOS stands before what a model reads: the rules of ``--bos`` (no torch).

``first``: what the tokenizer itself puts in front, once at the head of a stream (nothing where it adds none);
``none``: no special tokens; ``every``: the BOS token before each window of the stream without special tokens, and
before each request of a task. A family's own rule stands in its adapter.
"""

NONE, FIRST, EVERY = BOS_RULES = ("none", "first", "every")

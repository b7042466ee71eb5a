"""One file a family, named as its models' ``model_type``; each defines ``Family``, an :class:`adapter.Adapter`.

A new file here is all that a new family needs.
"""

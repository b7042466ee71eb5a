"""Placeholder until the generator lands."""


def text(split):
    raise NotImplementedError

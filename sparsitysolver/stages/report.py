"""``report``: collect, table, paper-tables, readme."""


def add_arguments(parser):
    pass

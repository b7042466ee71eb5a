"""What Snakemake asks before a job runs: which cells are needed, where files lie, what decides them, how long it takes.

Nothing here imports torch or changes a result.
"""

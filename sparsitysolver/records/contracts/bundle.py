"""Manifests of bundles."""

from typing import Annotated, Literal

from pydantic import Field

from sparsitysolver.records.contracts.parts import ABSENT, Count, Open, part

Member = part("Member", Open, sha256=Annotated[str, Field(pattern="^[0-9a-f]{64}$")], bytes=Count)


class RunOf(Open):
    """Commits and devices that cells were measured at and on, library versions."""

    __pydantic_extra__: dict[str, list[str]]

    commits: list[str]
    versions: list[str]
    devices: list[str]


class Bundle(Open):
    """What a bundle holds, and what run it is of."""

    format: Literal[1]
    made_by: str = Field(description="version that exported it")
    commit: str = Field(description="commit of the checkout that exported it")
    grid: str = Field(description="empty where no table names it")
    redraw: str = Field(ABSENT, description="the command that draws tables and figures from it")
    run: RunOf
    files: Annotated[dict[str, Member], Field(min_length=1)]

"""What a record of each kind holds: the contract that files are checked by, and that JSON schemas are generated from.

Records are plain dictionaries everywhere else; a contract checks one and changes nothing in it.
"""

from sparsitysolver.records.contracts import artefacts, studies
from sparsitysolver.records.contracts.parts import Closed

CONTRACTS: dict[str, type[Closed]] = {
    "arena": studies.Arena,
    "bundle": artefacts.Bundle,
    "cell": artefacts.Cell,
    "effects": artefacts.Effects,
    "inference": studies.Inference,
    "reconstruction": studies.Reconstruction,
    "strategy": artefacts.Strategy,
    "transfer": studies.Transfer,
}

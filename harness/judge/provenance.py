"""Whose evidence it is: what another run, or other code, left in a folder is refused.

Folders are put together by hand and by CI, from machines that were told the same name of a run.
"""

from __future__ import annotations

from harness.evidence import Facts, Identity
from harness.facts import Begun
from harness.judge import unknown
from harness.verdict import Finding


def own(identity: Identity, facts: Facts) -> tuple[Facts, list[Finding]]:
    """Return the facts without the parts that are not this run's, and a finding for each of them.

    A part without a name of a run is of a version that wrote none.
    """
    findings = []
    kept = {}
    for part, noted in facts.by_part.items():
        begun = next((fact for fact in noted if isinstance(fact, Begun)), None)
        told = _stranger(identity, begun) if begun else ""
        if told:
            findings.append(unknown("evidence/other-run", part, told, _NEXT))
        else:
            kept[part] = noted
    return Facts(kept, facts.unreadable), findings


_NEXT = "run it again, all parts on one state of the code, in a folder of its own"


def _stranger(identity: Identity, begun: Begun) -> str:
    """Say what is foreign about a part; empty: it is this run's."""
    if begun.run and begun.run != identity.run_id:
        return f"evidence of another run, {begun.run}, is refused"
    if begun.tree and begun.tree != identity.environment.tree:
        mine = identity.environment.tree
        return f"evidence of other code is refused: its files' hash is {begun.tree}, not {mine}"
    return ""

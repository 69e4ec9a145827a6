"""What `harness prove` writes down: facts about faults that were planted in a copy."""

from __future__ import annotations

import msgspec

from harness.verdict import Outcome


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that `harness prove` does not prove, and why."""

    what: str
    why: str


class ProvingBegun(msgspec.Struct, tag="proving", frozen=True, kw_only=True):
    """What was to be proved, by its name in ``harness prove --only``, and what was not."""

    proofs: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


class Unharmed(msgspec.Struct, tag="unharmed", frozen=True, kw_only=True):
    """What a run of the copy came to before anything was planted, for one proof.

    `subject` is what was run: a gate, the tests of a target, a load.
    """

    proof: str
    subject: str
    outcome: Outcome
    told: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a run of the copy. `waived`: the plan tolerates it."""

    slug: str
    outcome: Outcome
    where: str
    message: str
    waived: bool = False


class Planted(msgspec.Struct, tag="planted", frozen=True, kw_only=True):
    """One fault in the copy, what was to be said of it, and what was said.

    It is found by a finding with one of the `slugs`, whose place begins with `at` and whose
    message holds `says`. `against` is the limit or objective that it breaks, `outcome` the
    verdict of its run, `seen` what that run had to say, the findings that hit it first. `obstacle`
    says why it could not be planted, or why its run says nothing of it.
    """

    proof: str
    subject: str
    fault: str
    against: str
    slugs: tuple[str, ...]
    at: str = ""
    says: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    seen: tuple[Seen, ...] = ()
    obstacle: str = ""

    def hits(self, seen: Seen) -> bool:
        """Tell whether a finding is about this fault."""
        return (
            seen.outcome is not Outcome.PASS
            and seen.slug in self.slugs
            and seen.where.startswith(self.at)
            and self.says in seen.message
        )

"""Ends: everything that runs out some day, the next one first."""

from __future__ import annotations

from phigate.policy.ends import ends
from tests.policy.making import DESTINATIONS, HIPAA, SITE, bundle_of, edit
from tests.policy.test_site_file import WIDEN, with_override


def test_papers_widenings_approvals_and_opinions_end(shipped_files: dict[str, bytes]) -> None:
    files = edit(
        shipped_files,
        SITE,
        ("raw_under_baa: false", 'raw_under_baa: {approved_by: dpo, expires: "2027-01-01", ticket: T}'),
        with_override(f"{WIDEN}, lift: [hipaa.attachments]"),
    )
    files = edit(files, DESTINATIONS, ("covers: [chat]}", "covers: [chat], revoked: true}"))
    opinion = 'method: expert_determination, expert: {doc: "sha256:00aa", expires: "2026-12-31"}}'
    found = ends(bundle_of(edit(files, HIPAA, ("method: safe_harbor}", opinion))))
    assert [end.what for end in found][:3] == ["us.hipaa: expert opinion", "flag raw_under_baa", "override x.y"]
    assert {end.what for end in found[3:]} == {
        "eu-cloud: baa (revoked)",
        "eu-cloud: dpa",
        "eu-cloud: zero_retention",
        "eu-cloud: no_training",
    }

"""A dataset card in Markdown: what a frozen version holds, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_ROLES = {
    "train": "trained on",
    "validation": "new wordings of trained findings, watched during training",
    "test-memory": "new wordings of trained findings, asked after training",
    "validation-transfer": "papers never trained on, watched during training",
    "test-transfer": "papers never trained on, asked after training",
}


def card(manifest: dict[str, Any], provenance: Sequence[dict[str, Any]]) -> str:
    """The card of a version, from its manifest; no foreign text but titles, on one line each."""
    lines = [
        f"# {manifest['dataset']} v{manifest['version']}",
        "",
        f"{manifest['examples']} examples from {len(manifest['papers'])} papers. "
        f"Content: `{manifest['sha256']}`.",
        "",
        "| file | holds | lines | tokens |",
        "|---|---|---:|---:|",
    ]
    for key, entry in manifest["files"].items():
        holds = _ROLES[key.split(".")[0]]
        lines.append(f"| `{entry['path']}` | {holds} | {entry['lines']} | {entry['tokens']} |")
    if manifest["token_count"] == "estimate":
        lines += ["", "Tokens are estimated at four characters each."]
    kinds = ", ".join(f"{count} {kind}" for kind, count in manifest["kinds"].items())
    verified = sum(bool(record["verified"]) for record in provenance)
    lines += ["", f"Kinds: {kinds}. {verified} examples have a quote found in their passage."]
    authors = Counter(record["author"] or "unknown" for record in provenance)
    written = ", ".join(f"{count} by {author}" for author, count in sorted(authors.items()))
    lines += ["", f"Written: {written}.", "", "## Papers", ""]
    for paper in manifest["papers"]:
        use = "kept from training" if paper["transfer"] else "trained on"
        lines.append(f"- {paper['id']}: {paper['title']} ({paper['examples']} examples, {use})")
    return "\n".join(lines) + "\n"

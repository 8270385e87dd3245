"""A dataset card in Markdown: what a frozen version holds, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
    lines += ["", f"Written: {_list(authors, 'by')}."]
    if manifest["prompts"]:
        lines += ["", f"Prompts: {_list(manifest['prompts'], 'with')}."]
    if manifest["question_types"]:
        lines += ["", f"Questions ask for: {_list(manifest['question_types'], 'for')}."]
    lines += ["", f"They draw on {manifest['passages']} passages."]
    if split := manifest["split"]:
        lines += [
            "",
            f"Split: {split['transfer']:.0%} of the papers kept for transfer, "
            f"{split['memory']:.0%} of the wordings for memory, seed {split['seed']}.",
        ]
    if manifest["parent"]:
        lines += ["", f"Made after v{manifest['parent']}."]
    lines += [text for note in manifest["notes"] for text in ("", note)]
    lines += ["", "## Papers", ""]
    for paper in manifest["papers"]:
        use = "kept from training" if paper["transfer"] else "trained on"
        lines.append(f"- {paper['id']}: {paper['title']} ({paper['examples']} examples, {use})")
    return "\n".join(lines) + "\n"


def _list(counts: Mapping[str, int], word: str) -> str:
    return ", ".join(f"{count} {word} {name}" for name, count in sorted(counts.items()))

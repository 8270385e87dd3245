"""What is said of an exchange beside its words, the same while it streams and when it is kept."""

from __future__ import annotations

from tui.domain.chat import Answer, Exchange
from tui.text import clean, shorten

REFUSAL = "The sources do not hold the answer. These are the nearest passages."
_LONGEST_QUESTION = 2000


def asked(question: str) -> str:
    """A question as it is shown; a pasted megabyte is not."""
    words = clean(question)
    if len(words) > _LONGEST_QUESTION:
        words = f"{words[:_LONGEST_QUESTION]}… ({len(words):,} characters)"
    return f"› {words}"


def label(exchange: Exchange) -> str:
    """What kind of question it was and of which papers, where that is not the usual."""
    parts = [exchange.mode.value] if exchange.mode.value != "ask" else []
    if exchange.scope != "all":
        parts.append(shorten(exchange.scope, 40))
    return " · ".join(parts)


def problems(answer: Answer) -> list[str]:
    """Why an answer was cut and what of it does not hold, a line each."""
    lines = [f"! {clean(problem)}" for problem in answer.problems]
    if not answer.complete and answer.model:
        lines.insert(0, "! This answer was cut short: what stands here is partial.")
    elif answer.finish_reason == "length":
        lines.insert(0, "! The answer was longer than it may be.")
    return lines


def notes(answer: Answer) -> list[str]:
    """What else one should know of an answer, a line each."""
    return [f"· {clean(note)}" for note in answer.notes]


def facts(answer: Answer) -> str:
    """Arm, time, tokens, speed, cost and model in one line, what is long at its end."""
    if not answer.model:
        return ""
    parts = [answer.arm.value]
    if answer.seconds:
        parts.append(f"{answer.seconds:.1f} s")
    usage = answer.usage
    if usage.total_tokens:
        share = (
            f" ({usage.total_tokens / answer.context:.0%} of {answer.context:,})"
            if answer.context
            else ""
        )
        parts.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens{share}")
    if answer.speed >= 1:
        parts.append(f"{answer.speed:.0f} a second")
    if answer.cost is not None:
        parts.append(f"{answer.cost:.4f} {answer.currency}")
    return " · ".join([*parts, answer.model])

"""The quickstart's events as plain lines, with the figures a person wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tui.domain.job import JobStatus
from tui.quickstart.guide import StepId
from tui.quickstart.run import Finished, StepDone, StepProgress

_ARM_WIDTH = 14
_EVERY_STEPS = 10


def step_lines(event: StepDone) -> Iterator[str]:
    """A line for the step, and one for each thing worth knowing about it."""
    text = _STEPS[event.step](event.figures)
    state = "done before" if event.already else f"{event.seconds:.1f} s"
    yield f"✓ {text}  ({state})"
    for note in event.figures.get("notes", ()):
        yield f"    {note}"
    for failure in event.figures.get("failures", ())[:10]:
        yield f"    {failure['path']}: {failure['reason']}"
    if event.step == StepId.CHAT:
        yield f"    “{event.figures['question']}”"
        for arm in ("tuned", "tuned+sources"):
            if said := event.figures.get(arm):
                yield f"    {arm + ':':<{_ARM_WIDTH}} {said['answer']}  ({said['seconds']} s)"


class Narrator:
    """Chooses which progress is worth a line: a person reads along, a log is kept."""

    def __init__(self) -> None:
        self._told = ""

    def line(self, event: StepProgress) -> str:
        """One line, or nothing where there is nothing new to say."""
        figures = event.figures
        if event.step == "engine":
            return self._fetching(figures)
        if "warning" in figures:
            return f"  ! {figures['warning']}"
        if "status" in figures:
            running = figures["status"] == JobStatus.RUNNING and figures.get("steps")
            steps = f", {figures['steps']} steps" if running else ""
            return f"  {str(figures['status']).lower()}{steps}"
        if "training_step" in figures:
            return self._training(figures)
        return f"  {figures['done']} of {figures['total']} answers"

    def _training(self, figures: Mapping[str, Any]) -> str:
        measured = len([name for name in figures if name.endswith("_loss")]) > 1
        if not measured and figures["training_step"] % _EVERY_STEPS:
            return ""
        losses = [
            f"{name.removesuffix('_loss')} {value:.3f}"
            for name, value in figures.items()
            if name.endswith("_loss") and value is not None
        ]
        return f"  step {figures['training_step']:>4}  loss: {', '.join(losses)}"

    def _fetching(self, figures: Mapping[str, Any]) -> str:
        """A line per step of a download, not one per percent."""
        step = str(figures.get("step", ""))
        if not step or step == self._told:
            return ""
        self._told = step
        return f"  fetching the model: {step}"


def finished_lines(event: Finished) -> Iterator[str]:
    """The tests as tables, the verdict, and what to do next."""
    for name, test in event.tests.items():
        yield ""
        if test is None:
            yield f"{name.capitalize()} test: not measured"
            continue
        yield f"{name.capitalize()} test: {test['n']} questions, share right in % (95 % interval)"
        yield f"  {'arm':<{_ARM_WIDTH}} {'key phrase':>15} {'exact match':>15} {'token F1':>15}"
        for arm, scores in test["arms"].items():
            cells = [_interval(scores[name]) for name in ("key_phrase", "exact_match", "f1")]
            yield f"  {arm:<{_ARM_WIDTH}} " + " ".join(f"{cell:>15}" for cell in cells)
        for metric, value in test["retrieval"].items():
            yield f"  right passage among those retrieved, {metric}: {value * 100:.0f} %"
    yield ""
    yield event.verdict
    yield ""
    yield f"Talk to it:  papertune -w {event.workspace} chat --model {event.model}"
    yield f"Open it all: papertune -w {event.workspace}"


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value'] * 100:.0f} ({value['low'] * 100:.0f}–{value['high'] * 100:.0f})"


def _papers(figures: Mapping[str, Any]) -> str:
    return (
        f"Papers: {figures['papers']} papers, {figures['passages']} passages from "
        f"{figures['files']} files ({figures['skipped']} skipped, {figures['failed']} failed)"
    )


def _compose(figures: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in figures["kinds"].items())
    return f"Training set “{figures['dataset']}”: {figures['examples']} examples ({kinds})"


def _split(figures: Mapping[str, Any]) -> str:
    roles = (f"{role} {count['examples']}" for role, count in figures["roles"].items())
    return f"Split: {', '.join(roles)}"


def _check(figures: Mapping[str, Any]) -> str:
    return (
        f"Checked: {figures['valid']} of {figures['lines']} valid, {figures['tokens']} tokens, "
        f"{figures['duplicates']} duplicates, {figures['leaks']} leaks"
    )


def _freeze(figures: Mapping[str, Any]) -> str:
    return f"Frozen as {figures['version']}: {figures['examples']} examples"


def _engine(figures: Mapping[str, Any]) -> str:
    return f"Engine ready on {figures['device']} with {figures['model']}"


def _train(figures: Mapping[str, Any]) -> str:
    return f"Job {figures['job']} launched; it goes on if you leave"


def _watch(figures: Mapping[str, Any]) -> str:
    return f"Trained: {figures['model']} ({figures['trained_tokens']} tokens)"


def _chat(_: Mapping[str, Any]) -> str:
    return "Asked it"


def _evaluate(figures: Mapping[str, Any]) -> str:
    return str(figures.get("skipped") or f"Measured: run {figures['run']}")


_STEPS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    StepId.PAPERS: _papers,
    StepId.COMPOSE: _compose,
    StepId.SPLIT: _split,
    StepId.CHECK: _check,
    StepId.FREEZE: _freeze,
    "engine": _engine,
    StepId.TRAIN: _train,
    StepId.WATCH: _watch,
    StepId.CHAT: _chat,
    StepId.EVALUATE: _evaluate,
}

"""What is wrong with a dataset: lines, lengths, repetitions, leaks, balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tui.corpus.quotes import normalise
from tui.datasets.content import question_and_answer, training_line
from tui.datasets.leaks import Leak, Learnt, find_leaks
from tui.domain.example import CheckReport, Example, Finding, Form, Role, Status
from tui.domain.text import squad_normalise
from tui.formats.advice import advice, code_of, verdict
from tui.formats.chat_template import TemplateError
from tui.formats.check import (
    TokenCounter,
    answer_lost,
    check_file,
    count_tokens,
    too_long,
)
from tui.formats.fix import fix_file
from tui.formats.likeness import content_key, prompt_and_whole
from tui.formats.lines import LineError, TrainingLine, decode_object
from tui.formats.near_duplicates import NearPair, alike, near_pairs
from tui.formats.rules import examine

# The hosted service: a file holds at most 512 MB; validation at most 1 MB and 5 % of training.
FILE_LIMIT = 512 * 1024 * 1024
VALIDATION_LIMIT = 1024 * 1024
VALIDATION_SHARE = 0.05
_HOSTED_SIZE = "hosted: the training data is larger than 512 MB; the service refuses it"
_HOSTED_TEXT = "hosted: whether the hosted service trains on plain text is not known"
_LISTED = 3
# One type of question that is asked so often teaches little else.
_ONE_TYPE = 0.7


def check_training_file(
    path: Path,
    *,
    tokenizer: TokenCounter | None = None,
    seq_len: int | None = None,
    fix: Path | None = None,
) -> CheckReport:
    """Check any JSON Lines training file, of ours or not; leaks need a dataset.

    `fix` is a new file for the lines that can be trained on, mended where that is safe; see
    `fix_file` for what it raises.
    """
    report = check_file(path, tokenizer=tokenizer, seq_len=seq_len, near=True)
    warnings = list(report.warnings)
    if report.bytes > FILE_LIMIT:
        warnings.append(_HOSTED_SIZE)
    if report.form is Form.TEXT:
        warnings.append(_HOSTED_TEXT)
    found = CheckReport(
        lines=report.lines,
        valid=report.valid,
        invalid=report.invalid,
        tokens=report.tokens,
        over_length=report.over_length,
        duplicates=report.duplicates,
        near_duplicates=report.near_duplicates,
        errors=report.errors,
        warnings=tuple(warnings),
        cut=report.cut,
        fixed=None if fix is None else fix_file(path, fix),
    )
    return _judged(found)


def _judged(report: CheckReport) -> CheckReport:
    """The report with its verdict and what to do about each finding."""
    errors = [error.code for error in report.errors]
    warnings = [code_of(warning) for warning in report.warnings]
    return replace(
        report,
        verdict=verdict(report.lines, report.invalid, errors, warnings),
        fixes=advice([*errors, *warnings]),
    )


def fact(example: Example) -> str:
    """What an example is about: the same for all wordings of one finding.

    Without a finding, questions on one paper with the same answer are taken for wordings.
    """
    if example.finding:
        return f"finding {example.finding}"
    _, answer = question_and_answer(example)
    return f"answer {example.paper} {squad_normalise(answer or example.text)}"


def cited_papers(example: Example) -> set[str]:
    """The papers whose passages an example quotes."""
    return {passage.rsplit("#", 1)[0] for passage in example.passages}


def leaks_of(examples: Sequence[Example]) -> list[Leak]:
    """Leaks among examples that have a role."""
    learnt = []
    for example in examples:
        if example.role is None:
            continue
        question, answer = question_and_answer(example)
        learnt.append(
            Learnt(
                id=example.id,
                role=example.role,
                kind=example.kind,
                papers=frozenset({example.paper, *cited_papers(example)} - {""}),
                fact=fact(example),
                question=question,
                answer=answer,
                text=example.text or "\n".join(turn.content for turn in example.turns),
            )
        )
    return find_leaks(learnt)


def check_examples(
    examples: Sequence[Example],
    *,
    tokenizer: TokenCounter | None = None,
    seq_len: int | None = None,
) -> CheckReport:
    """Check all examples of a dataset; what would be frozen, the accepted ones, counts.

    A `line` in the report is the example's place among the accepted ones, from 1.
    """
    accepted = [example for example in examples if example.status is Status.ACCEPTED]
    errors: list[Finding] = []
    warnings: list[str] = []
    lines: dict[int, TrainingLine] = {}
    said: dict[str, list[str]] = defaultdict(list)
    sizes: Counter[Role | None] = Counter()
    size = _Sizes(tokenizer, seq_len)
    for number, example in enumerate(accepted, 1):
        raw = training_line(example)
        sizes[example.role] += len(raw) + 1
        try:
            line, problems = examine(decode_object(raw, number))
            if line is not None:
                size.take(line)
        except (LineError, TemplateError) as error:
            code = error.code if isinstance(error, LineError) else "template"
            reason = error.reason if isinstance(error, LineError) else error.message
            errors.append(Finding(number, code, f"{reason} ({example.id})"))
            continue
        for problem in problems:
            if problem.fatal:
                found = Finding(number, problem.code, f"{problem.message} ({example.id})")
                errors.append(found)
            else:
                said[problem.code].append(f"{example.id}: {problem.message}")
        if line is not None:
            lines[number] = line
    invalid = len(accepted) - len(lines)
    for code, messages in said.items():
        _listed(code, messages, warnings)
    duplicates, near = _repetitions(accepted, lines, warnings)
    leaks = leaks_of(accepted)
    places = {example.id: number for number, example in enumerate(accepted, 1)}
    errors += [Finding(places[leak.other], leak.code, leak.message) for leak in leaks if leak.fatal]
    for code in ("leak-transfer-paper", "leak-question", "leak-overlap"):
        _listed(code, [k.message for k in leaks if not k.fatal and k.code == code], warnings)
    if size.over:
        warnings.append(too_long(size.over, size.cut, size.longest, size.unlearnt))
    _state(examples, accepted, warnings)
    _key_phrases(accepted, warnings)
    balance = _balance(accepted, warnings)
    _hosted(accepted, sizes, warnings)
    report = CheckReport(
        lines=len(accepted),
        valid=len(lines),
        invalid=invalid,
        tokens=size.tokens,
        over_length=size.over,
        duplicates=duplicates,
        near_duplicates=near,
        leaks=len(leaks),
        errors=tuple(errors),
        warnings=tuple(warnings),
        cut=size.cut,
        balance=balance,
    )
    return _judged(report)


@dataclass(slots=True)
class _Sizes:
    """Tokens of lines, and by how much they are too long."""

    tokenizer: TokenCounter | None
    seq_len: int | None
    tokens: int = 0
    over: int = 0
    cut: int = 0
    longest: int = 0
    unlearnt: int = 0

    def take(self, line: TrainingLine) -> None:
        count = count_tokens(line, self.tokenizer)
        self.tokens += count
        self.longest = max(self.longest, count)
        if self.seq_len is not None and count > self.seq_len:
            self.over += 1
            self.cut += count - self.seq_len
            self.unlearnt += answer_lost(line, self.tokenizer, self.seq_len)


def _repetitions(
    accepted: Sequence[Example], lines: dict[int, TrainingLine], warnings: list[str]
) -> tuple[int, int]:
    first: dict[int, int] = {}
    repeated = []
    numbers = []
    for number, line in lines.items():
        key = content_key(line)
        if key in first:
            repeated.append(f"{accepted[number - 1].id} repeats {accepted[first[key] - 1].id}")
        else:
            first[key] = number
            numbers.append(number)
    texts = [prompt_and_whole(lines[number]) for number in numbers]

    def same(pair: NearPair) -> bool:
        return alike(texts[pair.first][0], texts[pair.second][0])

    near, across = [], []
    for pair in near_pairs([whole for _, whole in texts], same=same):
        one, two = (accepted[numbers[place] - 1] for place in (pair.second, pair.first))
        told = f"{one.id} says nearly the same as {two.id}"
        if one.role and two.role and (one.role is Role.TRAIN) != (two.role is Role.TRAIN):
            across.append(f"{told} ({one.role.value}, {two.role.value})")
        else:
            near.append(told)
    _listed("duplicate", repeated, warnings)
    _listed("near-duplicate", near, warnings)
    _listed("near-duplicate-across", across, warnings)
    return len(repeated), len(near) + len(across)


def _listed(code: str, messages: Sequence[str], warnings: list[str]) -> None:
    if messages:
        more = f" (and {len(messages) - _LISTED} more)" if len(messages) > _LISTED else ""
        warnings.append(f"{code}: {'; '.join(messages[:_LISTED])}{more}")


def _state(examples: Sequence[Example], accepted: Sequence[Example], warnings: list[str]) -> None:
    drafts = sum(example.status is Status.DRAFT for example in examples)
    if drafts:
        warnings.append(f"drafts: {drafts} examples await review and would not be frozen")
    if not accepted:
        warnings.append("empty: no example is accepted, so there is nothing to train on")
        return
    unsplit = sum(example.role is None for example in accepted)
    if unsplit:
        warnings.append(f"unsplit: {unsplit} examples have no role; run: papertune dataset split")
    elif not any(example.role is Role.TRAIN for example in accepted):
        warnings.append("no-training: no example is for training")


def _key_phrases(accepted: Sequence[Example], warnings: list[str]) -> None:
    lost, given = [], []
    for example in accepted:
        phrase = normalise(example.key_phrase)
        if not phrase:
            continue
        question, answer = question_and_answer(example)
        if phrase not in normalise(answer):
            lost.append(example.id)
        if phrase in normalise(question):
            given.append(example.id)
    _listed("key-phrase", [f"{i} does not hold its key phrase" for i in lost], warnings)
    _listed("key-phrase-in-question", [f"{i} gives its answer away" for i in given], warnings)


def _balance(accepted: Sequence[Example], warnings: list[str]) -> dict[str, dict[str, int]]:
    """What is trained on, by paper, kind and type of question, the most frequent first."""
    trained = [e for e in accepted if e.role in (Role.TRAIN, None)]
    counted = {
        "paper": Counter(example.paper for example in trained if example.paper),
        "kind": Counter(example.kind.value for example in trained),
        "question_type": Counter(e.question_type for e in trained if e.question_type),
    }
    papers, types = counted["paper"], counted["question_type"]
    if len(papers) > 2:
        paper, most = papers.most_common(1)[0]
        if most > papers.total() / 2:
            share = f"{most} of {papers.total()}"
            warnings.append(f"balance: {share} training examples come from one paper, {paper}")
    if types.total() >= 10:
        name, most = types.most_common(1)[0]
        if most > _ONE_TYPE * types.total():
            warnings.append(f"types: {most} of {types.total()} questions ask for one thing, {name}")
    return {name: dict(counts.most_common()) for name, counts in counted.items()}


def _hosted(accepted: Sequence[Example], sizes: Counter[Role | None], warnings: list[str]) -> None:
    """What the hosted service would mind; the local engine does not."""
    if any(example.form is Form.TEXT for example in accepted):
        warnings.append(_HOSTED_TEXT)
    validation = sizes[Role.VALIDATION] + sizes[Role.VALIDATION_TRANSFER]
    most = min(VALIDATION_LIMIT, VALIDATION_SHARE * sizes[Role.TRAIN])
    if sizes[Role.TRAIN] and validation > most:
        warnings.append(
            f"hosted: validation holds {validation / 1000:,.1f} kB; the hosted service would take "
            f"{most / 1000:,.1f} kB at most (5 % of the training data); here all of it is used"
        )
    if sizes[Role.TRAIN] > FILE_LIMIT:
        warnings.append(_HOSTED_SIZE)

"""What is wrong with a dataset: lines, lengths, repetitions, leaks, balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tui.corpus.quotes import normalise
from tui.datasets.content import question_and_answer, training_line
from tui.datasets.leaks import Leak, Learnt, find_leaks
from tui.domain.example import CheckReport, Example, Finding, Form, Role, Status
from tui.domain.text import squad_normalise
from tui.formats.check import TokenCounter, check_file, content_key, count_tokens, prompt_and_whole
from tui.formats.fix import fix_file
from tui.formats.lines import LineError, TrainingLine, decode_object
from tui.formats.near_duplicates import NearPair, alike, near_pairs
from tui.formats.rules import examine

# The hosted service: a file holds at most 512 MB; validation at most 1 MB and 5 % of training.
_FILE_LIMIT = 512 * 1024 * 1024
_VALIDATION_LIMIT = 1024 * 1024
_VALIDATION_SHARE = 0.05
_LISTED = 3


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
    return CheckReport(
        lines=report.lines,
        valid=report.valid,
        invalid=report.invalid,
        tokens=report.tokens,
        over_length=report.over_length,
        duplicates=report.duplicates,
        near_duplicates=report.near_duplicates,
        errors=report.errors,
        warnings=report.warnings,
        cut=report.cut,
        fixed=None if fix is None else fix_file(path, fix),
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
    sizes: Counter[Role | None] = Counter()
    tokens = over = cut = 0
    for number, example in enumerate(accepted, 1):
        raw = training_line(example)
        sizes[example.role] += len(raw) + 1
        try:
            line, problems = examine(decode_object(raw, number))
        except LineError as error:
            errors.append(Finding(number, error.code, f"{error.reason} ({example.id})"))
            continue
        errors += [
            Finding(number, p.code, f"{p.message} ({example.id})") for p in problems if p.fatal
        ]
        if line is None:
            continue
        lines[number] = line
        count = count_tokens(line, tokenizer)
        tokens += count
        if seq_len is not None and count > seq_len:
            over += 1
            cut += count - seq_len
    invalid = len(accepted) - len(lines)
    duplicates, near = _repetitions(accepted, lines, warnings)
    leaks = leaks_of(accepted)
    places = {example.id: number for number, example in enumerate(accepted, 1)}
    errors += [Finding(places[leak.other], leak.code, leak.message) for leak in leaks if leak.fatal]
    for code in ("leak-question", "leak-overlap"):
        found = [leak.message for leak in leaks if not leak.fatal and leak.code == code]
        _listed(code, found, warnings)
    if over:
        warnings.append(
            f"over-length: {over} examples are longer than {seq_len} tokens; {cut} tokens would be "
            "cut off their ends"
        )
    _state(examples, accepted, warnings)
    _key_phrases(accepted, warnings)
    _balance(accepted, warnings)
    _hosted(accepted, sizes, warnings)
    return CheckReport(
        lines=len(accepted),
        valid=len(lines),
        invalid=invalid,
        tokens=tokens,
        over_length=over,
        duplicates=duplicates,
        near_duplicates=near,
        leaks=len(leaks),
        errors=tuple(errors),
        warnings=tuple(warnings),
    )


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

    near = [
        f"{accepted[numbers[pair.second] - 1].id} says nearly the same as "
        f"{accepted[numbers[pair.first] - 1].id}"
        for pair in near_pairs([whole for _, whole in texts], same=same)
    ]
    _listed("duplicate", repeated, warnings)
    _listed("near-duplicate", near, warnings)
    return len(repeated), len(near)


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


def _balance(accepted: Sequence[Example], warnings: list[str]) -> None:
    trained = [e for e in accepted if e.role is Role.TRAIN and e.paper]
    papers = Counter(example.paper for example in trained)
    if len(papers) > 2:
        paper, most = papers.most_common(1)[0]
        if most > len(trained) / 2:
            share = f"{most} of {len(trained)}"
            warnings.append(f"balance: {share} training examples come from one paper, {paper}")


def _hosted(accepted: Sequence[Example], sizes: Counter[Role | None], warnings: list[str]) -> None:
    """What the hosted service would mind; the local engine does not."""
    if any(example.form is Form.TEXT for example in accepted):
        warnings.append("hosted: whether the hosted service trains on plain text is not known")
    validation = sizes[Role.VALIDATION] + sizes[Role.VALIDATION_TRANSFER]
    most = min(_VALIDATION_LIMIT, _VALIDATION_SHARE * sizes[Role.TRAIN])
    if sizes[Role.TRAIN] and validation > most:
        warnings.append(
            f"hosted: validation holds {validation / 1000:,.0f} kB; the hosted service takes "
            f"{most / 1000:,.0f} kB at most"
        )
    if sizes[Role.TRAIN] > _FILE_LIMIT:
        warnings.append("hosted: the training data is larger than 512 MB; the service refuses it")

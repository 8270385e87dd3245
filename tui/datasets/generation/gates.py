"""What a generated example must pass before a person sees it, in order of cost.

Each gate is a pure function of the example and its source. A refusal is a reason of one word and a
sentence; the example is kept as rejected with it, and a person may overrule it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui.corpus import quotes
from tui.datasets.generation.questions import NAME, QuestionIndex
from tui.domain.text import STOP_WORDS, content_words, words

LEAST_QUOTE = 6
_LEAST_SUMMARY = 20
_LONGEST_QUESTION = 60  # words
_LONGEST_ANSWER = 120
# Runs of three words: prose repeats hardly any of them.
_LOOP_RUNS = 15
_LOOP_SHARE = 0.6

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORK = (
    "paper|study|work|article|passage|text|excerpt|section|document|manuscript|report|experiment"
    "|research|authors?|researchers?|scientists?|writers?|table|figure|above|abstract|statement"
    "|sentence|quote"
)
# "this method" may be named earlier in the question; these words name nothing at all.
_LEANS = re.compile(
    rf"\b(?:this|these|that|those|our|the (?:present|current|given|following)) (?:{_WORK})\b"
    r"|\bthe (?:authors?|passage|excerpt|paper|article|manuscript|above|following|quote"
    r"|researchers|abstract)\b"
    r"|\b(?:according to|in|from|of) the (?:study|text|document|report|work|table|figure|section)\b"
    r"(?! of)"
    r"|\b(?:mentioned|described|shown|given|stated) (?:above|below|here)\b"
    r"|\b(?:we|our|ours|us)\b",
    re.IGNORECASE,
)
_POINTER = re.compile(r"\b(?:this|these|those) ([a-z-]{3,})", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:tables?|figures?|figs?\.?|sections?|sec\.|equations?|eqs?\.|appendix|chapter)\s*"
    r"(?:\(?\d|[IVX]+\b|[A-Z]\b)",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?:name|state|give|list|describe|explain|define|compare|tell|say|report|identify|specify)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an example is refused: `reason` is counted, `message` is for the reviewer."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with its answer, as a model wrote them, and the text it was asked about.

    `told` is what was said before it in a conversation.
    """

    question: str
    answer: str
    quote: str
    key_phrase: str
    source: str
    told: tuple[str, ...] = ()


def refuse_pair(candidate: Candidate, questions: QuestionIndex) -> Refusal | None:
    """The first gate that a pair does not pass; None when it passes all."""
    return (
        _quote(candidate.quote, candidate.source)
        or _loops(candidate.answer)
        or _holds_the_answer(candidate)
        or _stands_alone(candidate)
        or _gives_away(candidate)
        or _repeats(candidate, questions)
    )


def refuse_open(candidate: Candidate, questions: QuestionIndex) -> Refusal | None:
    """The first gate that a question without an answer in its passage does not pass."""
    return (
        _quote(candidate.quote, candidate.source)
        or _loops(candidate.question)
        or _stands_alone(candidate)
        or _repeats(candidate, questions)
    )


def refuse_exchange(
    candidate: Candidate, questions: QuestionIndex, *, first: bool
) -> Refusal | None:
    """The first gate that an exchange of a conversation does not pass.

    Only the first question has to stand by itself; later ones may refer to what was said, and
    to nothing else.
    """
    if first:
        return refuse_pair(candidate, questions)
    refusal = (
        _quote(candidate.quote, candidate.source)
        or _loops(candidate.answer)
        or _holds_the_answer(candidate)
    )
    if refusal is not None:
        return refusal
    for text in (candidate.question, candidate.answer):
        if match := _LEANS.search(text) or _LABEL.search(text):
            return Refusal("not-alone", f"“{match[0]}” says nothing to who has not the passage")
    if words(candidate.question) in [words(said) for said in candidate.told]:
        return Refusal("loops", "it asks the same again")
    if words(candidate.answer) in [words(said) for said in candidate.told]:
        return Refusal("loops", "it answers the same again")
    return None


def refuse_summary(summary: str, quote: str, source: str) -> Refusal | None:
    """The first gate that a summary does not pass; None when it passes all."""
    refusal = _quote(quote, source)
    refusal = refusal or _loops(summary)
    if refusal is not None:
        return refusal
    if len(words(summary)) < _LEAST_SUMMARY:
        return Refusal("too-short", f"a summary has at least {_LEAST_SUMMARY} words")
    strange = numbers(summary) - numbers(source)
    if strange:
        return Refusal("number", f"{', '.join(sorted(strange))} does not stand in the paper's text")
    if match := _LABEL.search(summary):
        return Refusal("not-alone", f"“{match[0]}” says nothing to who has not got it")
    return None


def key_phrase_of(candidate: Candidate) -> str:
    """The words of the answer that matter: the model's, where they stand in answer and quote.

    Else the number of the answer where it has one only; else nothing.
    """
    phrase = candidate.key_phrase
    if phrase and quotes.holds(candidate.answer, phrase) and quotes.holds(candidate.quote, phrase):
        return phrase
    found = _NUMBER.findall(candidate.answer)
    return found[0] if len(found) == 1 else ""


def numbers(text: str) -> frozenset[str]:
    """The numbers in a text, without the commas between thousands."""
    return frozenset(
        re.sub(r",(?=\d{3}\b)", "", match).rstrip(".,") for match in _NUMBER.findall(text)
    )


def names(text: str) -> frozenset[str]:
    """The words of a text that are names: with a capital inside a sentence, or with a digit.

    Numbers are told by `numbers`; the beginning of a sentence tells nothing.
    """
    found: set[str] = set()
    for match in NAME.finditer(text):
        before = text[: match.start()].rstrip(" \"“‘'([")
        if not before or before[-1] in ".!?:\n" or _NUMBER.fullmatch(match[0].rstrip(".,-")):
            continue
        found.update(
            word.removesuffix("'s").removesuffix("’s")
            for word in words(match[0])
            if word not in STOP_WORDS and word.partition("'")[0].partition("’")[0] != "i"
        )
    return frozenset(found)


def _bare(text: str) -> frozenset[str]:
    """The words of a text without the endings of the genitive, and the parts of joined ones."""
    found = {word.removesuffix("'s").removesuffix("’s") for word in words(text)}
    return frozenset(found.union(*(re.split(r"[.'’-]", word) for word in found)))


def _quote(quote: str, source: str) -> Refusal | None:
    if len(words(quote)) < LEAST_QUOTE:
        return Refusal("quote-short", f"“{quote}” has fewer than {LEAST_QUOTE} words")
    if not quotes.holds(source, quote):
        return Refusal("quote-absent", f"“{quote}” does not stand in the passage")
    return None


def _loops(text: str) -> Refusal | None:
    """Small models come to say the same again and again."""
    found = words(text)
    runs = list(zip(found, found[1:], found[2:], strict=False))
    if len(runs) >= _LOOP_RUNS and len(set(runs)) < _LOOP_SHARE * len(runs):
        return Refusal("loops", "it says the same again and again")
    return None


def _holds_the_answer(candidate: Candidate) -> Refusal | None:
    """The quote must hold every number and name of the answer that the question does not bring.

    Where there is neither, it must hold the answer's key phrase or half of its words.
    """
    brought = "\n".join((candidate.question, *candidate.told))
    wanted = numbers(candidate.answer) - numbers(brought)
    missing = wanted - numbers(candidate.quote)
    if missing:
        return Refusal("quote-unrelated", f"the quote lacks {', '.join(sorted(missing))}")
    named = names(candidate.answer)
    strange = named - _bare(f"{brought}\n{candidate.quote}")
    if strange:
        return Refusal("quote-unrelated", f"the quote lacks “{', '.join(sorted(strange))}”")
    if wanted or key_phrase_of(candidate):
        return None
    shared = set(content_words(candidate.answer)) - set(content_words(brought))
    told = set(content_words(candidate.quote))
    if not shared or len(shared & told) < (len(shared) + 1) // 2:
        return Refusal("quote-unrelated", "the quote does not hold what the answer says")
    return None


def _stands_alone(candidate: Candidate) -> Refusal | None:
    question = candidate.question
    if not 4 <= len(words(question)) <= _LONGEST_QUESTION:
        return Refusal("question-length", f"a question has 4 to {_LONGEST_QUESTION} words")
    if len(words(candidate.answer)) > _LONGEST_ANSWER:
        return Refusal("answer-length", f"an answer has at most {_LONGEST_ANSWER} words")
    match = _LEANS.search(question) or _LABEL.search(question) or _LABEL.search(candidate.answer)
    if leaning := match[0] if match else _points_nowhere(question):
        return Refusal("not-alone", f"“{leaning}” says nothing to who has not got the passage")
    if not question.rstrip("\"”')").endswith("?") and not _ORDER.match(question):
        return Refusal("no-question", "it asks nothing")
    if not _names_something(question, candidate.source):
        return Refusal("not-alone", "the question names nothing that the passage is about")
    return None


def _points_nowhere(question: str) -> str:
    """A "this method" before which the question has named neither a method nor anything else."""
    for match in _POINTER.finditer(question):
        before = question[: match.start()]
        noun = match[1].lower().removesuffix("s")
        named = any(name.start() for name in NAME.finditer(before))
        if not named and not any(word.removesuffix("s") == noun for word in words(before)):
            return match[0]
    return ""


def _names_something(question: str, source: str) -> bool:
    """Whether the question shares two words with the source, or a name or number of it."""
    told = set(content_words(source))
    shared = told.intersection(content_words(question))
    return len(shared) >= 2 or any(
        word in told
        for match in NAME.finditer(question)
        if match.start()
        for word in content_words(match[0])
    )


def _gives_away(candidate: Candidate) -> Refusal | None:
    phrase = quotes.normalise(key_phrase_of(candidate))
    if phrase and quotes.holds(candidate.question, phrase):
        return Refusal("gives-away", f"the question holds its own answer, “{phrase}”")
    new = set(content_words(candidate.answer)) - set(content_words(candidate.question))
    if not new:
        return Refusal("gives-away", "the answer says no more than the question")
    return None


def _repeats(candidate: Candidate, questions: QuestionIndex) -> Refusal | None:
    same = questions.near(candidate.question, candidate.answer)
    return None if same is None else Refusal("near-duplicate", f"“{same}” asks the same")

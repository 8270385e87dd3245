"""Training samples with provenance, and the roles and forms they are written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What an example teaches."""

    FULL_TEXT = "full-text"
    SUMMARY = "summary"
    QA = "qa"
    CONVERSATION = "conversation"
    RETRIEVAL = "retrieval"


class Status(StrEnum):
    """Where an example stands in review."""

    DRAFT = "draft"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Role(StrEnum):
    """What an example is used for; memory and transfer are never pooled.

    Memory roles hold new wordings of findings in papers that are trained on; transfer roles hold
    papers that are never trained on.
    """

    TRAIN = "train"
    VALIDATION = "validation"
    TEST_MEMORY = "test-memory"
    VALIDATION_TRANSFER = "validation-transfer"
    TEST_TRANSFER = "test-transfer"

    @property
    def is_transfer(self) -> bool:
        """Whether papers of this role must stay out of training altogether."""
        return self in (Role.VALIDATION_TRANSFER, Role.TEST_TRANSFER)


class Form(StrEnum):
    """The shape of a training line; the API types each file, so a file holds one form."""

    MESSAGES = "messages"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the assistant has called: `arguments` are JSON text, `id` nine signs."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation: `role` is system, user, assistant or tool.

    `weight` 0 keeps an assistant's message out of the loss; None leaves it to the trainer. A
    `tool`'s message names the call that it answers; `name` is the speaker's, where given.
    """

    role: str
    content: str
    weight: int | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One training sample that can be walked back to the page it comes from.

    A sample in the form `messages` has `turns`; one in the form `text` has `text`. `passages` are
    ids; `quote` is verbatim in the first of them when `verified`. The same `finding` marks
    wordings of one fact. `author` is a person's or a model's name, `prompt` the one it was written
    with (`name@hash`), `question_type` what is asked for, where known. `reason` says why it was
    decided so, `note` is what people wrote on it. `role` is None until the dataset is split.
    `tools` are the definitions of functions as JSON text, where the conversation calls any.
    """

    id: str
    dataset: str
    kind: Kind
    form: Form = Form.MESSAGES
    turns: tuple[Turn, ...] = ()
    text: str = ""
    status: Status = Status.DRAFT
    role: Role | None = None
    author: str = ""
    paper: str = ""
    passages: tuple[str, ...] = ()
    quote: str = ""
    verified: bool = False
    key_phrase: str = ""
    finding: str = ""
    note: str = ""
    created_at: float = 0.0
    reason: str = ""
    question_type: str = ""
    prompt: str = ""
    tools: str = ""

    @property
    def question(self) -> str:
        """The first user turn, or nothing for plain text."""
        return next((turn.content for turn in self.turns if turn.role == "user"), "")

    @property
    def answer(self) -> str:
        """The last assistant turn, or the text itself."""
        answers = [turn.content for turn in self.turns if turn.role == "assistant"]
        return answers[-1] if answers else self.text


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a frozen version: where it lies, what it holds."""

    path: str
    sha256: str
    lines: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable frozen version; `files` is keyed `<role>.<form>`, e.g. `train.messages`.

    `notes` say what was left out to fit an endpoint's limits.
    """

    dataset: str
    version: int
    sha256: str
    files: dict[str, FileEntry]
    examples: int
    papers: tuple[str, ...]
    parent: int | None = None
    created_at: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The way a person writes it: `answers@v3`."""
        return f"{self.dataset}@v{self.version}"


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """A dataset with its counts, as the list and `dataset show` give it."""

    name: str
    examples: int
    kinds: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)
    papers: int = 0
    versions: tuple[int, ...] = ()
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check found: where, what is wrong, what to do."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class FixReport:
    """A training file mended into a new one: how many lines were `written`, what was `fixed`.

    `fixed` counts the findings that were mended, by code; `left_out` lines could not be, and
    `failures` says why (of the first 10,000).
    """

    path: str
    written: int = 0
    fixed: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    failures: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `dataset check` says of a dataset or a file; `errors` make lines invalid.

    `cut` tokens lie beyond the longest length, of all `over_length` lines together. `verdict` is
    one plain sentence; `balance` counts what is trained on by paper, kind and question type.
    """

    lines: int
    valid: int
    invalid: int
    tokens: int
    over_length: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    leaks: int = 0
    errors: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    cut: int = 0
    verdict: str = ""
    fixes: dict[str, str] = field(default_factory=dict)
    balance: dict[str, dict[str, int]] = field(default_factory=dict)
    fixed: FixReport | None = None

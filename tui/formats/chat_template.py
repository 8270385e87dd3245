"""Chat templates as model repositories ship them: Jinja, rendered as transformers renders them.

A template comes from outside, so it runs in Jinja's sandbox and cannot reach Python's insides.
Compatible with `transformers.utils.chat_template_utils` (transformers 5): trimmed blocks, loop
controls, `raise_exception`, `strftime_now`, `tojson` without HTML escapes, `{% generation %}`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.text import shorten

if TYPE_CHECKING:
    from jinja2 import Template

Message = Turn | Mapping[str, Any]


class TemplateError(UsageError):
    """A chat template that is broken, or that refuses a conversation."""


class ChatTemplate:
    """Turns a conversation into the text that a model was taught to read.

    `source` is the Jinja text; `bos` and `eos` are the special tokens it may write. Raises
    TemplateError from `render` when the template is missing, broken or refuses the conversation.
    """

    def __init__(self, source: str, bos: str = "", eos: str = "") -> None:
        self.source = source
        self.bos = bos
        self.eos = eos

    @property
    def sha256(self) -> str:
        """The hash by which training and chat agree that they use the same template."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def render(
        self,
        turns: Sequence[Message],
        *,
        add_generation_prompt: bool = False,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The conversation as text, with what starts an answer if `add_generation_prompt`."""
        from jinja2 import TemplateError as JinjaError

        messages = [as_message(turn) for turn in turns]
        try:
            return self._template.render(
                messages=messages,
                tools=[dict(tool) for tool in tools] if tools else None,
                documents=None,
                bos_token=self.bos,
                eos_token=self.eos,
                add_generation_prompt=add_generation_prompt,
            )
        except (JinjaError, TypeError, KeyError, ValueError, AttributeError) as error:
            raise TemplateError(
                f"The model's chat template refuses this conversation: {shorten(str(error), 200)}."
            ) from error

    @cached_property
    def _template(self) -> Template:
        from jinja2 import TemplateSyntaxError

        if not self.source:
            raise TemplateError(
                "This model has no chat template.",
                'Train it on lines of the form {"text": …}, or choose an "instruct" model.',
            )
        try:
            template: Template = _environment().from_string(self.source)
        except TemplateSyntaxError as error:
            raise TemplateError(
                f"The model's chat template is broken: {shorten(str(error), 200)}."
            ) from error
        return template


def as_message(turn: Message) -> dict[str, Any]:
    """A turn as templates take it: a dictionary with `role` and `content`."""
    if isinstance(turn, Turn):
        return {"role": turn.role, "content": turn.content}
    return dict(turn)


def _environment() -> Any:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation_tag()]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _generation_tag() -> Any:
    """`{% generation %}…{% endgeneration %}`: marks answers for some trainers, prints its body."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012 - the library declares it so

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return Generation


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> None:
    from jinja2 import TemplateError as JinjaError

    raise JinjaError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)

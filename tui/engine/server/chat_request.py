"""What `POST /v1/chat/completions` takes, with the contract's bounds; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tui.engine.server.errors import unprocessable

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_MAX_CHOICES = 16


def _whole(text: str) -> str:
    """Text that can be written as UTF-8; JSON can spell half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
_ROLES = Literal["system", "user", "assistant", "tool"]


class Chunk(BaseModel):
    """A piece of a message's content; only text can be read here."""

    model_config = _STRICT
    type: Literal["text"] = "text"
    text: Text


class Message(BaseModel):
    """One turn; the fields are those of all four roles together."""

    model_config = _STRICT
    role: _ROLES
    content: Text | Annotated[list[Chunk], Field(max_length=1000)] | None = None
    prefix: bool = False
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The content as one string."""
        if isinstance(self.content, list):
            return "".join(chunk.text for chunk in self.content)
        return self.content or ""


class JsonSchema(BaseModel):
    """A schema that the answer must follow."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    name: str
    schema_definition: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool = False


class ResponseFormat(BaseModel):
    """The form of the answer."""

    model_config = _STRICT
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None


class Prediction(BaseModel):
    """Expected text; it would only save time, so it is taken and not used."""

    model_config = _STRICT
    type: Literal["content"] = "content"
    content: str = ""


class ChatIn(BaseModel):
    """The body of a chat request."""

    model_config = _STRICT
    model: Annotated[Text, Field(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=10_000)]
    temperature: Annotated[float, Field(ge=0, le=1.5)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=0, le=2**31)] | None = None
    stream: bool = False
    stop: Text | Annotated[list[Text], Field(max_length=16)] | None = None
    random_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    n: Annotated[int, Field(ge=1, le=_MAX_CHOICES)] | None = None
    prediction: Prediction | None = None
    parallel_tool_calls: bool = True
    safe_prompt: bool = False
    prompt_mode: Literal["reasoning"] | None = None
    reasoning_effort: Literal["high", "none"] | None = None
    metadata: dict[str, Any] | None = None
    guardrails: list[dict[str, Any]] | None = None
    prompt_cache_key: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings at which the answer ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in given if stop)

    @property
    def schema_wanted(self) -> dict[str, Any] | None:
        """The JSON schema of the answer, if it is to be JSON."""
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object" or wanted.json_schema is None:
            return {"type": "object"}
        return wanted.json_schema.schema_definition

    def refuse_what_we_lack(self) -> None:
        """Raise a 422 for what the contract has and this engine does not do."""
        for given, where, what in (
            (self.tools, "tools", "its models call no tools"),
            (self.tool_choice not in (None, "auto", "none"), "tool_choice", "they call no tools"),
            (self.prompt_mode, "prompt_mode", "its models do not reason"),
            (self.reasoning_effort == "high", "reasoning_effort", "its models do not reason"),
            (self.guardrails, "guardrails", "it has no moderation"),
        ):
            if given:
                raise unprocessable(["body", where], f"Value error, not on this engine: {what}.")
        for index, message in enumerate(self.messages):
            place: list[str | int] = ["body", "messages", index]
            if message.role == "tool" or message.tool_calls:
                raise unprocessable(place, "Value error, not on this engine: tool calls.")
            if message.content is None and message.role != "assistant":
                raise unprocessable([*place, "content"], "Field required", kind="missing")
            if message.prefix and (message.role != "assistant" or index != len(self.messages) - 1):
                raise unprocessable(
                    [*place, "prefix"], "Value error, only the last assistant message is a prefix."
                )
        last = self.messages[-1]
        if last.role == "assistant" and not last.prefix:
            raise unprocessable(
                ["body", "messages"],
                "Value error, the last message must be a user's, or an assistant's with prefix.",
            )
        wanted = self.response_format
        if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
            raise unprocessable(
                ["body", "response_format", "json_schema"], "Field required", kind="missing"
            )

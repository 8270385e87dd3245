"""What `POST /v1/fine_tuning/jobs` takes, with the contract's bounds."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tui.engine.server.errors import unprocessable
from tui.engine.supervisor.prepare import MAX_STEPS

_STRICT = ConfigDict(allow_inf_nan=False)
_NAME = 256
ModuleName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.]+$")]


class TrainingFile(BaseModel):
    """A training file and how often its lines are seen against the others'."""

    model_config = _STRICT
    file_id: UUID
    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0


class HyperparametersIn(BaseModel):
    """The contract's hyperparameters; unknown names are ignored as the hosted service does."""

    model_config = _STRICT
    training_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-8, le=1)] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = 0.1
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] | None = 0.05
    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None
    seq_len: Annotated[int, Field(ge=100, le=1_048_576)] | None = None
    fim_ratio: Annotated[float, Field(ge=0, le=1)] | None = None


class WandbIn(BaseModel):
    """An integration; this engine has none, but its bounds are the contract's."""

    type: Literal["wandb"] = "wandb"
    project: str
    name: str | None = None
    run_name: str | None = None
    api_key: Annotated[str, Field(min_length=40, max_length=40)]


class RepositoryIn(BaseModel):
    """A repository; this engine has none, but its bounds are the contract's."""

    model_config = _STRICT
    type: Literal["github"] = "github"
    owner: str
    name: str
    token: str
    ref: str | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0


class TargetIn(BaseModel):
    """A classifier's target; this engine trains none, but its bounds are the contract's."""

    model_config = _STRICT
    name: str
    labels: list[str]
    weight: Annotated[float, Field(ge=0)] = 1.0
    loss_function: Literal["single_class", "multi_class"] | None = None


class JobIn(BaseModel):
    """The body of a job's creation."""

    model_config = _STRICT
    model: Annotated[str, Field(min_length=1, max_length=_NAME)]
    hyperparameters: HyperparametersIn
    training_files: Annotated[list[TrainingFile], Field(max_length=100)] = []
    validation_files: Annotated[list[UUID], Field(max_length=100)] | None = None
    suffix: Annotated[str, Field(max_length=18)] | None = None
    auto_start: bool | None = None
    invalid_sample_skip_percentage: Annotated[float, Field(ge=0, le=0.5)] = 0
    job_type: Literal["completion", "classifier"] | None = None
    integrations: list[WandbIn] | None = None
    repositories: list[RepositoryIn] | None = None
    classifier_targets: list[TargetIn] | None = None

    def refuse_what_we_lack(self) -> None:
        """Raise a 422 for what the contract has and this engine does not do."""
        for given, where, what in (
            (self.job_type == "classifier", "job_type", "trains no classifiers"),
            (self.classifier_targets, "classifier_targets", "trains no classifiers"),
            (self.repositories, "repositories", "trains on uploaded files, not on repositories"),
            (self.integrations, "integrations", "reports to nobody else; wandb is not available"),
        ):
            if given:
                raise unprocessable(["body", where], f"Value error, this engine {what}.")
        if self.hyperparameters.fim_ratio and "fim_ratio" in self.hyperparameters.model_fields_set:
            raise unprocessable(
                ["body", "hyperparameters", "fim_ratio"],
                "Value error, this engine trains no fill-in-the-middle; leave fim_ratio out.",
                self.hyperparameters.fim_ratio,
            )
        if not self.training_files:
            raise unprocessable(
                ["body", "job_in"],
                "Value error, At least one training file or repository is required.",
            )

    def fingerprint(self, options: dict[str, Any]) -> str:
        """The same for two requests that would train the same model."""
        value = self.model_dump(mode="json", exclude={"auto_start"})
        return hashlib.sha256(json.dumps([value, options], sort_keys=True).encode()).hexdigest()


class LineageIn(BaseModel):
    """Which dataset version and papers the files come from."""

    dataset: Annotated[str, Field(max_length=_NAME)] = ""
    papers: Annotated[list[Annotated[str, Field(max_length=_NAME)]], Field(max_length=100_000)] = []


def _named_apart(value: Any) -> Any:
    """Names in one text, `q_proj,v_proj`, or in a list; `all-linear` is what is done without."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return None if value == ["all-linear"] else value


class OptionsIn(BaseModel):
    """The extras of `X-Papertune-Options`, for which the contract has no room."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = None
    lora_alpha: Annotated[int, Field(ge=1, le=65536)] | None = None
    lora_plus_ratio: Annotated[float, Field(gt=0, le=1000)] | None = None
    word_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    early_stopping: Annotated[int, Field(ge=1, le=10_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    target_modules: Annotated[
        Annotated[list[ModuleName], Field(min_length=1, max_length=64)] | None,
        BeforeValidator(_named_apart),
    ] = None
    gradient_checkpointing: bool | None = None
    lineage: LineageIn | None = None


def read_options(header: str | None) -> dict[str, Any]:
    """The options in the header's JSON; a 422 names the one that is wrong."""
    if not header:
        return {}
    try:
        options = OptionsIn.model_validate_json(header.encode("latin-1", "replace"))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ["header", "X-Papertune-Options", *fault["loc"]]
        raise unprocessable(where, fault["msg"], None, fault["type"]) from error
    return options.model_dump(mode="json", exclude_none=True)

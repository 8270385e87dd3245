"""The client of the API: hosted Mistral, the local engine and a colleague's differ by URL and key.

Nothing here imports the SDK or the HTTP library before the first call.
"""

from __future__ import annotations

from tui.mistral.client import Client
from tui.mistral.endpoints import Endpoints
from tui.mistral.engine_control import EngineControl, EngineStatus
from tui.mistral.errors import (
    AbsentError,
    ApiError,
    AuthError,
    CutStream,
    DuplicateError,
    EngineOff,
    QuotaError,
    RefusedError,
    RetiredError,
    ServerError,
    Unreachable,
)
from tui.mistral.ledger import Ledger, Totals
from tui.mistral.privacy import ConsentNeeded, Gate, PrivateTextError
from tui.mistral.retries import RetryPolicy
from tui.mistral.types import (
    ChatReply,
    ChatRequest,
    Delta,
    EngineInfo,
    LocalJob,
    Progress,
    RemoteFile,
)

__all__ = [
    "AbsentError",
    "ApiError",
    "AuthError",
    "ChatReply",
    "ChatRequest",
    "Client",
    "ConsentNeeded",
    "CutStream",
    "Delta",
    "DuplicateError",
    "Endpoints",
    "EngineControl",
    "EngineInfo",
    "EngineOff",
    "EngineStatus",
    "Gate",
    "Ledger",
    "LocalJob",
    "PrivateTextError",
    "Progress",
    "QuotaError",
    "RefusedError",
    "RemoteFile",
    "RetiredError",
    "RetryPolicy",
    "ServerError",
    "Totals",
    "Unreachable",
]

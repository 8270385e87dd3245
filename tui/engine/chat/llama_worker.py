"""The process in which llama.cpp answers: `python -m tui.engine.chat.llama_worker`.

It reads one line of JSON from standard input, loads the model, says `{"url"}` in one line on
standard output and serves until standard input is closed, which the system does when the engine
dies in whatever way. The key comes by standard input, where other users cannot read it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from typing import Any

# Tokens between two looks at whether the caller is still there: about 0.2 s of reading. Both batch
# sizes of llama.cpp count: with its usual n_batch (2048) a cancelled request reads on for seconds.
MICRO_BATCH = 64


def main() -> None:
    """Serve one model with its adapters."""
    options = json.loads(sys.stdin.readline())
    answers = os.dup(1)
    os.dup2(2, 1)  # llama.cpp logs to standard output; that is not where its words belong
    import xllamacpp

    params = _params(options)
    server = xllamacpp.Server(params)
    with os.fdopen(answers, "w", closefd=False) as out:
        out.write(json.dumps({"url": server.listening_address + params.api_prefix}) + "\n")
    while sys.stdin.readline():
        pass
    os._exit(0)  # the server's own end waits for requests under way; there is nobody to read them


def _params(options: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options["weights"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [options["key"]]
    # llama.cpp tells its health to everybody; under a name that nobody knows it does not.
    params.api_prefix = f"/{secrets.token_hex(16)}"
    params.n_parallel = options["slots"]
    params.n_ctx = options["slots"] * options["context"]
    params.n_batch = MICRO_BATCH
    params.n_ubatch = MICRO_BATCH
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.endpoint_slots = False
    params.ui = False
    params.fit_params = False
    params.verbosity = 1
    params.lora_adapters = [_adapter(xllamacpp, path) for path in options["adapters"]]
    return params


def _adapter(xllamacpp: Any, path: str) -> Any:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = path, 0.0
    return adapter


if __name__ == "__main__":
    main()

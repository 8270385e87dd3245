"""The whole job in plain calls: upload, fine-tune, watch, chat. No papertune code is imported.

    papertune engine start && papertune model pull smollm2-135m-instruct
    python docs/fine_tune.py train.jsonl validation.jsonl "A question?"

The local engine speaks Mistral's REST API, so this is what you would have written for the hosted
service. Files, models and chat go through the official SDK; its 3.x line has no job client, so the
job routes are three plain HTTP calls. Lines of the files look like this:

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx2
from mistralai.client import Mistral
from mistralai.client.models import File, UserMessage

TERMINAL = {"SUCCESS", "FAILED", "FAILED_VALIDATION", "CANCELLED"}


def main(train: Path, validation: Path, question: str) -> None:
    # 1. Where is the engine? It says so itself, and keeps its token in a file only you can read.
    status = json.loads(subprocess.check_output(["papertune", "engine", "status", "--json"]))
    token = json.loads(Path(status["token_file"]).read_text())["token"]
    mistral = Mistral(api_key=token, server_url=status["url"])
    http = httpx2.Client(
        base_url=status["url"], headers={"Authorization": f"Bearer {token}"}, timeout=60
    )

    # 2. Upload what to learn from, and what to measure with while it learns.
    files = []
    for path in (train, validation):
        with path.open("rb") as stream:
            uploaded = mistral.files.upload(
                file=File(file_name=path.name, content=stream), purpose="fine-tune"
            )
        files.append(uploaded.id)
        print(f"uploaded {path.name}: {uploaded.num_lines} lines")

    # 3. Start the job. Leave the steps out and the model's defaults decide.
    body = {
        "model": "smollm2-135m-instruct",
        "training_files": [{"file_id": files[0], "weight": 1.0}],
        "validation_files": [files[1]],
        "hyperparameters": {"epochs": 2, "learning_rate": 0.002},
        "auto_start": True,
    }
    answer = http.post("/v1/fine_tuning/jobs", json=body)
    answer.raise_for_status()
    job = answer.json()

    # 4. Watch it: every checkpoint carries the losses measured at its step.
    seen: set[int] = set()
    while job["status"] not in TERMINAL:
        time.sleep(1)
        job = http.get(f"/v1/fine_tuning/jobs/{job['id']}").raise_for_status().json()
        for point in sorted(job["checkpoints"], key=lambda point: point["step_number"]):
            if point["step_number"] not in seen:
                seen.add(point["step_number"])
                print(f"step {point['step_number']}: {point['metrics']}")
    if job["status"] != "SUCCESS":
        raise SystemExit(f"the job ended as {job['status']}: {job['events'][-1:]}")

    # 5. Ask the new model.
    reply = mistral.chat.complete(
        model=job["fine_tuned_model"],
        messages=[UserMessage(content=question)],
        temperature=0.0,
        max_tokens=60,
    )
    message = reply.choices[0].message
    print(f"{job['fine_tuned_model']}: {message.content if message else ''}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

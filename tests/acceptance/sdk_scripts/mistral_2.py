"""What a program does with the last SDK that has a job client, with another URL."""
# mypy: ignore-errors

import os
import sys
import time

from mistralai.client import Mistral
from mistralai.client.errors import SDKError

client = Mistral(api_key=os.environ["TOKEN"], server_url=os.environ["URL"])
with open(sys.argv[1], "rb") as content:
    file = client.files.upload(file={"file_name": "train.jsonl", "content": content})
assert file.sample_type == "instruct", file
assert [entry.id for entry in client.files.list().data] == [file.id]
job = client.fine_tuning.jobs.create(
    model=os.environ["MODEL"],
    training_files=[{"file_id": file.id, "weight": 1}],
    hyperparameters={"training_steps": 4, "learning_rate": 0.001},
    suffix="mine",
)
deadline = time.monotonic() + 60
while job.status not in ("SUCCESS", "FAILED", "CANCELLED", "FAILED_VALIDATION"):
    assert time.monotonic() < deadline, job.status
    time.sleep(0.1)
    job = client.fine_tuning.jobs.get(job_id=job.id)
assert job.status == "SUCCESS", job
assert [event.name for event in job.events][0] == "status-updated"
assert job.checkpoints[0].metrics.train_loss > 0
assert client.fine_tuning.jobs.list(page_size=5).total == 1
held = client.fine_tuning.jobs.create(
    model=os.environ["MODEL"],
    training_files=[{"file_id": file.id}],
    hyperparameters={"training_steps": 5},
    auto_start=False,
)
assert client.fine_tuning.jobs.cancel(job_id=held.id).status in (
    "CANCELLED",
    "CANCELLATION_REQUESTED",
)
tuned = job.fine_tuned_model
assert tuned.startswith("ft:")
assert client.models.retrieve(model_id=tuned).root == os.environ["MODEL"]
assert client.models.update(model_id=tuned, name="Ours").name == "Ours"
assert client.models.archive(model_id=tuned).archived is True
assert client.models.unarchive(model_id=tuned).archived is False
turns = [{"role": "user", "content": "Hello?"}]
answer = client.chat.complete(model=tuned, messages=turns, random_seed=1, max_tokens=20)
assert answer.choices[0].message.content == "Hello there."
assert answer.usage.total_tokens == 10
pieces = [
    event.data.choices[0].delta.content for event in client.chat.stream(model=tuned, messages=turns)
]
assert "".join(pieces) == "Hello there."
try:
    client.fine_tuning.jobs.get(job_id="nothing")
except SDKError as error:
    assert error.status_code in (404, 422)
else:
    raise AssertionError("a job that is not there was found")
print("done")

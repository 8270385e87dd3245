"""What the current SDK still has: files, models, chat, embeddings."""
# mypy: ignore-errors

import os
import sys

from mistralai.client import Mistral
from mistralai.client.errors import MistralError

client = Mistral(api_key=os.environ["TOKEN"], server_url=os.environ["URL"])
with open(sys.argv[1], "rb") as content:
    file = client.files.upload(
        file={"file_name": "other.jsonl", "content": content}, purpose="fine-tune"
    )
assert client.files.retrieve(file_id=file.id).deleted is False
assert client.files.delete(file_id=file.id).deleted is True
model = os.environ["MODEL"]
assert model in [card.id for card in client.models.list().data]
turns = [{"role": "user", "content": "Hello?"}]
answer = client.chat.complete(
    model=model, messages=turns, response_format={"type": "json_object"}, temperature=0
)
assert answer.choices[0].finish_reason == "stop"
events = list(client.chat.stream(model=model, messages=turns, n=2))
assert events[-1].data.usage.completion_tokens == 6
for call in (
    lambda: client.embeddings.create(model=model, inputs=["a text"]),
    lambda: client.fim.complete(model=model, prompt="def f("),
    lambda: client.chat.complete(model="nothing", messages=turns),
):
    try:
        call()
    except MistralError as error:
        assert error.status_code in (400, 422), error
    else:
        raise AssertionError("what cannot be done was done")
print("done")

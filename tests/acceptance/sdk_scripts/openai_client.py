"""What a program written for OpenAI's client does, with another base URL."""
# mypy: ignore-errors

import os

import openai

client = openai.OpenAI(api_key=os.environ["TOKEN"], base_url=os.environ["URL"] + "/v1")
model = os.environ["MODEL"]
assert model in [card.id for card in client.models.list()]
turns = [{"role": "user", "content": "Hello?"}]
answer = client.chat.completions.create(model=model, messages=turns, max_tokens=20, stop=["!"])
assert answer.choices[0].message.content == "Hello there."
assert answer.usage.prompt_tokens == 7
stream = client.chat.completions.create(model=model, messages=turns, stream=True)
assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello there."
try:
    client.chat.completions.create(model="nothing", messages=turns)
except openai.BadRequestError as error:
    assert "Invalid model" in str(error)
else:
    raise AssertionError("a model that is not there answered")
try:
    openai.OpenAI(api_key="wrong", base_url=os.environ["URL"] + "/v1").models.list()
except openai.AuthenticationError:
    pass
else:
    raise AssertionError("a wrong key was taken")
print("done")

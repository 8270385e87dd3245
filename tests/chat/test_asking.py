"""Asking an endpoint elsewhere: what goes into the prompt, and what is said of what comes back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.chat.conftest import TEXTS, Lab
from tests.mistral.faults import Answer as Reply
from tests.mistral.faults import Handler, Request, answer, chunk, completion, sse
from tui.chat import Scope, Working
from tui.domain.chat import Answer, Arm, Exchange, Mode
from tui.domain.errors import NotFoundError, UsageError


def replying(words: str, then: Reply, otherwise: Reply) -> Handler:
    """Answers prompts that hold `words` in one way and all others in another."""
    return lambda request: then if words in request.json()["messages"][-1]["content"] else otherwise


QUESTION = "For how many hours does Velmora resin harden?"


async def test_an_answer_says_what_it_took_and_what_of_it_holds(lab: Lab) -> None:
    lab.says("For 7 hours [1], they say “Velmora resin hardens for 6 hours” [1].")
    got, _ = await lab.chat.answer(lab.question(QUESTION))
    assert [(got.text[f.start : f.end], f.kind) for f in got.flaws] == [("7 hours", "number")]
    assert got.sources[0].verified and got.usage.completion_tokens == 1 and got.context == 32768


async def test_a_refusal_is_an_answer_and_is_known_as_one(lab: Lab) -> None:
    lab.says("I cannot answer from these sources.")
    got, _ = await lab.chat.answer(lab.question("Who built the moon?"))
    assert got.refused and got.complete and not got.problems
    lab.says("For 6 hours [1].")
    assert not (await lab.chat.answer(lab.question(QUESTION)))[0].refused


async def test_words_addressed_to_the_model_are_pointed_out_and_stay_a_quotation(lab: Lab) -> None:
    lab.says("For 3 hours [1].")
    got, _ = await lab.chat.answer(lab.question("How long does lantern moss glow?"))
    assert any("addressed to a model" in note for note in got.notes)
    quoted = next(line for line in lab.prompts[0].splitlines() if "Ignore all" in line)
    assert quoted.startswith("[")


async def test_what_is_private_stays_here_and_the_answer_says_so(lab: Lab) -> None:
    untrusted = replace(lab.gate.settings.endpoints["lab"], trusted=False)
    settings = replace(lab.gate.settings, endpoints={"lab": untrusted})
    lab.gate.settings = settings
    lab.chat._endpoints.settings = settings
    hidden = lab.corpus.resolve(TEXTS["resins"][0]).id
    lab.corpus.set_private([hidden], True)
    lab.says("I do not know.")
    got, _ = await lab.chat.answer(lab.question(QUESTION))
    assert "Velmora resin hardens for 6 hours" not in lab.prompts[0]
    assert all(source.paper != hidden for source in got.sources)
    assert any("private passage" in note for note in got.notes)


async def test_a_follow_up_is_searched_with_the_words_before_it(lab: Lab) -> None:
    lab.says("At 283 kelvin [1].")
    before = Exchange("x", QUESTION, Answer("For 6 hours.", "m", Arm.BASE), 0.0)
    got, _ = await lab.chat.answer(lab.question("And at what temperature?", history=(before,)))
    assert got.sources[0].title == TEXTS["resins"][0]


async def test_a_capable_model_rewrites_and_reads_the_candidates_first(lab: Lab) -> None:
    lab.capable()
    rewritten = answer(completion("At what temperature does Velmora resin harden?"))
    useless = answer(completion(json.dumps({"score": 0, "sentences": []})))
    telling = answer(completion(json.dumps({"score": 9, "sentences": [1]})))

    def judge(request: Request) -> Reply:
        text = request.json()["messages"][-1]["content"]
        if "Rewrite the last question" in text:
            return rewritten
        if "<passage>" in text:
            return telling if "Velmora resin hardens for" in text else useless
        return sse(chunk("At 283 kelvin [1]."), chunk("", "stop", (9, 5)))

    lab.answers(judge)
    before = Exchange("x", QUESTION, Answer("For 6 hours.", "m", Arm.BASE), 0.0)
    got, retrieved = await lab.chat.answer(
        lab.question("And at what temperature?", history=(before,))
    )
    assert [source.quote for source in got.sources] == [
        "Velmora resin hardens for 6 hours at 283 kelvin."
    ]
    assert len(retrieved) == 1 and got.usage.prompt_tokens > 9


async def test_a_reader_that_answers_nonsense_leaves_the_ranking_as_it_was(lab: Lab) -> None:
    lab.capable()
    said = sse(chunk("For 6 hours [1]."), chunk("", "stop", (9, 5)))
    lab.answers(replying("<passage>", answer(completion("no json at all")), said))
    got, retrieved = await lab.chat.answer(lab.question(QUESTION))
    assert retrieved and got.complete


async def test_a_scope_narrows_the_search_and_names_what_is_missing(lab: Lab) -> None:
    bells = lab.corpus.resolve(TEXTS["bells"][0]).id
    lab.corpus.tag([bells], add=["metal"])
    lab.says("Yes [1].")
    lab.session.scope = Scope.parse("tag:metal")
    async for told in lab.session.ask(QUESTION, lab.corpus):
        if isinstance(told.event, Answer):
            assert {source.paper for source in told.event.sources} <= {bells}
    assert lab.session.exchanges[0].scope == "tag:metal"
    with pytest.raises(NotFoundError, match="tag:wood"):
        Scope.parse("tag:wood").papers(lab.corpus)
    assert Scope.parse(bells).papers(lab.corpus) == frozenset({bells})
    assert Scope.of([bells, bells + "x"]).kind == "papers"


async def test_the_prompt_fits_the_model_s_real_context(lab: Lab) -> None:
    lab.card(context=400)
    lab.says("Yes.")
    long = Answer("word " * 300, "m", Arm.BASE)
    history = tuple(Exchange(f"x{n}", "Why?", long, 0.0) for n in range(4))
    await lab.chat.answer(lab.question(QUESTION, history=history, max_tokens=100))
    request = lab.server.asked("POST", "/v1/chat/completions")[0].json()
    held = sum(len(message["content"]) // 4 + 8 for message in request["messages"])
    assert held + request["max_tokens"] <= 400
    assert len(request["messages"]) == 1


async def test_a_question_that_no_context_holds_is_refused_before_it_is_sent(lab: Lab) -> None:
    with pytest.raises(UsageError, match="tokens"):
        await lab.chat.answer(lab.question("resin " * 200_000))
    assert not lab.prompts


async def test_an_empty_corpus_leaves_the_question_without_sources(lab: Lab) -> None:
    lab.corpus.remove([paper.id for paper in lab.corpus.papers()])
    lab.says("I cannot answer from these sources.")
    got, _ = await lab.chat.answer(lab.question(QUESTION))
    assert got.sources == () and got.refused


async def test_one_paper_is_summarised_part_by_part_where_it_is_too_long(lab: Lab) -> None:
    lab.card(context=1024)
    notes = answer(completion("- hardens for 6 hours at 283 kelvin"))
    said = sse(chunk("**Results** It hardens for 6 hours [1]."), chunk("", "stop", (9, 5)))
    lab.answers(replying("Part:", notes, said))
    paper = lab.corpus.resolve(TEXTS["resins"][0]).id
    asked = lab.question(
        "What was found?", mode=Mode.SUMMARISE, papers=frozenset({paper}), max_tokens=80
    )
    events = [event async for event in lab.chat.ask(asked)]
    steps = [event for event in events if isinstance(event, Working)]
    last = events[-1]
    assert isinstance(last, Answer) and not last.flaws
    assert len(steps) > 1 and steps[0].total > 1
    assert len(lab.prompts) == steps[0].total + 1


async def test_several_papers_become_rows_of_a_table(lab: Lab) -> None:
    row = {"question": "how long", "method": "a dish", "result": "6 hours", "limits": ""}
    lab.answers(answer(completion(json.dumps(row))), answer(completion("not json")))
    papers = frozenset(paper.id for paper in lab.corpus.papers())
    got, _ = await lab.chat.answer(
        lab.question("What lasts how long?", mode=Mode.SUMMARISE, papers=papers)
    )
    lines = got.text.splitlines()
    assert len(lines) == 2 + len(papers)
    assert "| how long [1] | a dish [1] | 6 hours [1] | – |" in lines[2]
    assert lines[3].count("–") == 4


async def test_a_reading_path_is_in_order_and_remembered(lab: Lab) -> None:
    lab.says("[1] first, then [2].")
    asked = lab.question("What is known of the fen?", mode=Mode.ONBOARD)
    got, _ = await lab.chat.answer(asked)
    years = [lab.corpus.paper(source.paper).year or 0 for source in got.sources]
    assert years == sorted(years)
    path = lab.onboarding.paths()[0]
    assert path.papers == tuple(source.paper for source in got.sources)
    lab.onboarding.mark(path.papers[0])
    assert lab.onboarding.paths()[0].next == path.papers[1]
    await lab.chat.answer(asked)
    assert lab.corpus.paper(path.papers[0]).title in lab.prompts[-1].partition("<sources>")[0]


async def test_ideas_without_their_marks_are_taken_as_conjecture(lab: Lab) -> None:
    lab.says("Tin and resin could be one.")
    got, _ = await lab.chat.answer(lab.question("tin resin", mode=Mode.BRAINSTORM))
    assert any("conjecture" in note for note in got.notes)
    lab.says("**Stated:** it hardens for 6 hours [1].\n**Conjecture:** tin helps.")
    got, _ = await lab.chat.answer(lab.question("tin resin", mode=Mode.BRAINSTORM))
    assert not any("conjecture" in note for note in got.notes)

"""Papers from elsewhere, asked for over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus.papers import paper
from tests.corpus.services_double import KEY, Services, attachment, item, running
from tests.corpus.test_latex import MAIN, bundle
from tui.corpus import Corpus
from tui.corpus.sources.attachments import FileFinder
from tui.corpus.sources.fetch import Fetcher, Identifier, identifier
from tui.corpus.sources.settings import SourceSettings, source_settings
from tui.corpus.sources.web import Service, Web, user_agent
from tui.corpus.sources.zotero import Zotero
from tui.domain.errors import MissingError, NotFoundError, PapertuneError, UsageError
from tui.settings import SecretStr
from tui.storage.workspace import Workspace


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waited.append(round(seconds, 3))
        self.now += seconds

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services() -> Iterator[Services]:
    with running(Services()) as served:
        yield served


@pytest.fixture
def settings(services: Services) -> SourceSettings:
    url = services.url
    return SourceSettings("me@example.org", url, url, url, url, f"{url}")


@pytest.fixture
def web(settings: SourceSettings, clock: Clock, tmp_path: Path) -> Web:
    return Web(settings.contact, folder=tmp_path / "fetch", sleep=clock.sleep, clock=clock.time)


@pytest.fixture
def fetcher(workspace: Workspace, corpus: Corpus, settings: SourceSettings, web: Web) -> Fetcher:
    return Fetcher(workspace, corpus, settings, web=web)


@pytest.fixture
def zotero(workspace: Workspace, corpus: Corpus, settings: SourceSettings, web: Web) -> Zotero:
    return Zotero(workspace, corpus, settings, lambda: SecretStr(KEY), web=web)


@pytest.fixture
def pdf(tmp_path: Path) -> bytes:
    return paper(tmp_path / "made.pdf", title="A title that the PDF says", length=2).read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arxiv:2401.01234", "arxiv:2401.01234"),
        ("arXiv:2401.01234v3", "arxiv:2401.01234v3"),
        ("arxiv:hep-th/9901001", "arxiv:hep-th/9901001"),
        ("https://arxiv.org/abs/2401.01234", "arxiv:2401.01234"),
        ("https://arxiv.org/pdf/2401.01234v1.pdf", "arxiv:2401.01234v1"),
        ("doi:10.1234/AB(c)", "doi:10.1234/ab(c)"),
        ("https://doi.org/10.1234/x", "doi:10.1234/x"),
        ("doi:10.48550/arXiv.2401.01234", "arxiv:2401.01234"),
        ("papers/2401.01234.pdf", "None"),
    ],
)
def test_identifiers_are_told_from_paths(text: str, expected: str) -> None:
    assert str(identifier(text)) == expected


@pytest.mark.parametrize("text", ["arxiv:", "arxiv:../../etc", "doi:nonsense", "arxiv:24.1"])
def test_what_only_looks_like_an_identifier_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        identifier(text)


def test_an_arxiv_paper_comes_with_record_source_and_pdf(
    fetcher: Fetcher, corpus: Corpus, services: Services, clock: Clock, pdf: bytes
) -> None:
    services.source, services.pdf = bundle({"ms.tex": MAIN.encode()}), pdf
    report = fetcher.add([Identifier("arxiv", "2401.01234")])
    assert (report.added, report.failed, len(report.files)) == (1, 0, 2)
    (only,) = corpus.papers()
    assert only.title == "Pebbles of the Mirewick"
    assert only.authors == ("Zoë Harrowgate", "Anna Keller")
    assert (only.arxiv, only.doi, only.year) == ("2401.01234", "10.1234/pebbles", 2024)
    assert only.venue == "Annals 3 (2024)"
    assert only.abstract == "We weigh pebbles < 3 kg."
    assert len(only.files) == 2
    assert corpus.search("pebbles")
    # One request in three seconds, and everybody knows who asks.
    assert clock.waited == [3.0, 3.0]
    agents = {headers["user-agent"] for _, headers in services.asked}
    assert agents == {user_agent("me@example.org")}
    assert "mailto:me@example.org" in agents.pop()
    # What was fetched is not asked for again.
    asked = len(services.asked)
    again = fetcher.add([Identifier("arxiv", "2401.01234")])
    assert (again.added, again.updated) == (0, 1)
    assert len(services.asked) == asked
    assert corpus.totals().papers == 1


def test_an_arxiv_paper_that_is_not_there_costs_only_itself(
    fetcher: Fetcher, corpus: Corpus, services: Services, pdf: bytes
) -> None:
    services.pdf = pdf
    report = fetcher.add([Identifier("arxiv", "9999.99999"), Identifier("arxiv", "2401.01234")])
    assert (report.added, report.failed) == (1, 1)
    assert "arXiv has no paper" in report.failures[0].reason
    assert corpus.papers()[0].files[0].endswith(".pdf")


def test_a_doi_gives_its_record_and_a_free_pdf(
    fetcher: Fetcher, corpus: Corpus, services: Services, pdf: bytes
) -> None:
    services.csl = {
        "DOI": "10.1234/X", "title": "The <i>Grey</i> Pebble", "type": "article-journal",
        "author": [{"given": "Anna", "family": "Keller"}, {"literal": "The Stone Group"}],
        "issued": {"date-parts": [[2019, 5]]}, "container-title": "Annals",
        "abstract": "<jats:p>We weighed it.</jats:p>",
    }  # fmt: skip
    services.unpaywall = {"best_oa_location": {"url_for_pdf": f"{services.url}/free.pdf"}}
    services.pdf = pdf
    report = fetcher.add([Identifier("doi", "10.1234/x")])
    assert (report.added, report.records) == (1, 0)
    (only,) = corpus.papers()
    assert (only.title, only.year, only.venue) == ("The Grey Pebble", 2019, "Annals")
    assert only.authors == ("Anna Keller", "The Stone Group")
    assert only.abstract == "We weighed it."
    assert only.pages > 0


def test_a_doi_without_a_free_file_is_a_record(
    fetcher: Fetcher, corpus: Corpus, services: Services
) -> None:
    services.csl = {"DOI": "10.1234/x", "title": "The Grey Pebble of the river"}
    services.unpaywall = {"best_oa_location": None}
    report = fetcher.add([Identifier("doi", "10.1234/x"), Identifier("doi", "10.9/none")])
    assert report.records >= 1
    assert corpus.papers()[0].doi == "10.1234/x"
    assert not corpus.papers()[0].files


def test_without_a_network_one_sentence_says_so(
    workspace: Workspace, corpus: Corpus, tmp_path: Path
) -> None:
    nowhere = "http://127.0.0.1:9"
    settings = SourceSettings("", nowhere, nowhere, nowhere, nowhere, nowhere)
    fetcher = Fetcher(workspace, corpus, settings, web=Web(folder=tmp_path / "fetch"))
    with pytest.raises(MissingError, match=r"arXiv cannot be reached .* needs the network"):
        fetcher.add([Identifier("arxiv", "2401.01234")])
    assert not corpus.papers()
    zotero = Zotero(workspace, corpus, settings, lambda: None, web=Web(folder=tmp_path / "fetch"))
    with pytest.raises(MissingError, match="no key for Zotero"):
        zotero.read()
    with pytest.raises(MissingError, match="No Zotero answers"):
        zotero.read(local=True)


def test_a_busy_service_is_given_the_pause_it_asks_for(
    web: Web, services: Services, clock: Clock
) -> None:
    services.before["/pdf"] = [(429, {"Retry_After": "7"}), (503, {})]
    services.pdf = b"%PDF-1.4"
    service = Service("arXiv", services.url, 3.0)
    assert web.get(service, f"{services.url}/pdf/1").body == b"%PDF-1.4"
    assert 7.0 in clock.waited
    services.before["/pdf"] = [(429, {"Retry_After": "86400"})]
    with pytest.raises(PapertuneError, match="asks for a pause"):
        web.get(service, f"{services.url}/pdf/1")


def test_what_is_too_large_is_not_taken(web: Web, services: Services) -> None:
    services.pdf = b"%PDF-" + b"x" * 100_000
    with pytest.raises(PapertuneError, match="larger than"):
        web.get(Service("arXiv", services.url, 0), f"{services.url}/pdf/1", limit=1000)


def test_a_public_service_cannot_send_us_into_this_network(
    services: Services, tmp_path: Path, clock: Clock
) -> None:
    web = Web(folder=tmp_path / "fetch", sleep=clock.sleep)
    public = Service("example.org", "http://192.0.32.7")
    with pytest.raises(MissingError, match="not a public address"):
        web.get(public, f"{services.url}/free.pdf")
    assert not services.asked


def library(services: Services, pdf: bytes) -> None:
    services.collections = [
        {"key": "COLL0001", "version": 3, "data": {"key": "COLL0001", "name": "Rivers"}}
    ]
    work = item(
        "WORK0001", 5, itemType="journalArticle", title="Grey pebbles of the river",
        creators=[{"creatorType": "author", "firstName": "Anna", "lastName": "Keller"},
                  {"creatorType": "editor", "firstName": "E", "lastName": "Ditor"},
                  {"creatorType": "author", "name": "The Stone Group"}],
        date="May 2019", DOI="10.1234/grey", publicationTitle="Annals", abstractNote="Weighed.",
        tags=[{"tag": "stone"}], collections=["COLL0001"],
    )  # fmt: skip
    others = [
        item(f"MORE{n:04}", 6, itemType="book", title=f"Stones, volume {n}", creators=[])
        for n in range(150)
    ]
    services.files["FILE0001"] = pdf
    services.items = [
        work,
        attachment("FILE0001", "WORK0001", 5, pdf, "Keller - 2019 - Grey: pebbles.pdf"),
        item("NOTE0001", 5, itemType="note", note="<p>mine</p>", parentItem="WORK0001"),
        item("SNAP0001", 5, itemType="attachment", parentItem="WORK0001", contentType="text/html",
             linkMode="imported_url", filename="x.html"),
        *others,
    ]  # fmt: skip


def test_a_zotero_library_comes_with_files_and_collections(
    zotero: Zotero, corpus: Corpus, services: Services, pdf: bytes
) -> None:
    library(services, pdf)
    report = zotero.read()
    assert (report.entries, report.added, report.failed, report.files) == (151, 151, 0, 1)
    grey = corpus.resolve("10.1234/grey")
    assert grey.title == "Grey pebbles of the river"
    assert grey.authors == ("Anna Keller", "The Stone Group")
    assert (grey.year, grey.venue, grey.tags) == (2019, "Annals", ("Rivers", "stone"))
    assert grey.pages > 0
    assert Path(grey.files[0]).read_bytes() == pdf
    assert not any(KEY in path for path in services.paths())


def test_the_second_time_asks_for_what_is_new_only(
    zotero: Zotero, corpus: Corpus, services: Services, pdf: bytes
) -> None:
    library(services, pdf)
    zotero.read()
    services.asked.clear()
    assert zotero.read().entries == 0
    assert not any("/file" in path for path in services.paths())
    services.version = 11
    services.items.append(item("NEW00001", 11, itemType="book", title="One more stone"))
    changed = {**services.items[0]["data"], "title": "Grey pebbles, revised"}
    services.items[0] = {**services.items[0], "version": 11, "data": changed}
    report = zotero.read()
    assert (report.entries, report.added, report.updated) == (2, 1, 1)
    assert any("since=10" in path for path in services.paths())
    assert corpus.resolve("10.1234/grey").title == "Grey pebbles, revised"
    assert zotero.read(everything=True).added == 0
    assert corpus.totals().papers == 152


def test_zotero_is_given_its_pauses_and_damaged_files_are_asked_for_again(
    zotero: Zotero, corpus: Corpus, services: Services, clock: Clock, pdf: bytes
) -> None:
    library(services, pdf)
    services.before["/users/42/items?"] = [(200, {}), (429, {"Retry_After": "9", "Backoff": "20"})]
    services.before["/users/42/items?"].pop(0)
    services.files["FILE0001"] = pdf[:-5]
    report = zotero.read()
    assert 9.0 in clock.waited
    assert any(10 < seconds <= 20 for seconds in clock.waited)
    assert report.failed == 1
    assert "damaged" in report.failures[0].reason
    services.files["FILE0001"] = pdf
    assert zotero.read().files == 1
    assert corpus.resolve("10.1234/grey").pages > 0


def test_a_library_that_changes_while_it_is_read_is_read_anew(
    zotero: Zotero, services: Services, pdf: bytes
) -> None:
    library(services, pdf)
    steps: list[str] = []

    def step(told: str) -> None:
        steps.append(told)
        if told.startswith("items: 100") and services.version == 10:
            services.version = 12

    assert zotero.read(on_step=step).added == 151
    assert steps.count("items: 154 of 154") == 2


def test_the_zotero_of_the_laptop_tells_and_its_files_are_found_here(
    zotero: Zotero, corpus: Corpus, services: Services, pdf: bytes, tmp_path: Path
) -> None:
    library(services, pdf)
    services.items[1]["links"] = {
        "enclosure": {"href": "file:///Users/me/Zotero/storage/FILE0001/Keller%20-%202019.pdf"}
    }
    copy = tmp_path / "storage" / "FILE0001"
    copy.mkdir(parents=True)
    report = zotero.read(local=True, finder=FileFinder(storage=tmp_path / "storage"))
    assert (report.files, len(report.missing)) == (0, 1)
    (copy / "Keller - 2019.pdf").write_bytes(pdf)
    finder = FileFinder(storage=tmp_path / "storage")
    assert zotero.read(local=True, finder=finder, everything=True).files == 1
    assert corpus.resolve("10.1234/grey").pages > 0
    assert not any("/file" in path for path in services.paths())


def test_the_key_never_stands_in_an_error(
    workspace: Workspace, corpus: Corpus, settings: SourceSettings, web: Web
) -> None:
    other = Zotero(workspace, corpus, settings, lambda: SecretStr("wrongKey123456789"), web=web)
    with pytest.raises(PapertuneError) as caught:
        other.read()
    assert "wrongKey" not in str(caught.value)
    assert "403" in str(caught.value)


def test_the_settings_name_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert source_settings(path) == SourceSettings()
    path.write_text('[sources]\ncontact = "me@example.org"\narxiv = "http://127.0.0.1:1/"\n')
    expected = replace(SourceSettings(), contact="me@example.org", arxiv="http://127.0.0.1:1")
    assert source_settings(path) == expected
    for wrong in ('contcat = "x"', 'arxiv = "ftp://x"', "contact = 3", 'contact = "a\\nb"'):
        path.write_text(f"[sources]\n{wrong}\n")
        with pytest.raises(UsageError, match="sources"):
            source_settings(path)


def test_unknown_dois_are_not_found(fetcher: Fetcher, services: Services) -> None:
    assert not services.csl
    report = fetcher.add([Identifier("doi", "10.1/unknown")])
    assert report.failed == 1
    with pytest.raises(NotFoundError):
        fetcher._doi.record("10.1/unknown")

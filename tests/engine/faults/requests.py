"""Requests drawn from an OpenAPI document: as it says, and with anything anywhere in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

TEXT = st.text(st.characters(), max_size=40)
LETTERS = st.text(max_size=40)  # without half surrogates, which no URL can carry
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, 10**400])
ANYTHING: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
# One place in so many holds something else than the schema says.
_ODD = 14
_DEPTH = 7


@cache
def contract() -> dict[str, Any]:
    """The requests of Mistral's own document."""
    path = Path(__file__).with_name("contract_requests.json")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@dataclass(frozen=True)
class Asked:
    """One request; `body` is JSON, or a form of short fields when `form` is set."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    form: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as JSON; what only Python can spell (NaN, half surrogates) included."""
        return json.dumps(self.body).encode()


class Drawing:
    """Draws the requests of one document; `known` are good values by the name of their field."""

    def __init__(
        self,
        document: Mapping[str, Any],
        known: Mapping[str, Sequence[Any]],
        *,
        without: Sequence[str] = (),
    ) -> None:
        self._schemas = document.get("components", {}).get("schemas", {})
        self._known = known
        self.routes = [
            (method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if path not in without
        ]

    def requests(self) -> SearchStrategy[Asked]:
        """Any request of the document."""
        return st.sampled_from(self.routes).flatmap(lambda route: self.request(*route))

    def request(
        self, method: str, path: str, operation: Mapping[str, Any]
    ) -> SearchStrategy[Asked]:
        """A request of one route."""
        parameters = operation.get("parameters", ())
        places = {q["name"]: self._text(q) for q in parameters if q["in"] == "path"}
        query = st.lists(
            st.one_of(
                [
                    st.tuples(st.just(q["name"]), self._text(q))
                    for q in parameters
                    if q["in"] == "query"
                ]
                or [st.tuples(LETTERS, LETTERS)]
            ),
            max_size=4,
        )
        content = operation.get("requestBody", {}).get("content", {})
        form = "multipart/form-data" in content
        schema = next((of["schema"] for of in content.values()), None)
        body = st.none() if schema is None else self.value(schema)
        return st.builds(
            lambda named, query, body: Asked(
                method.upper(),
                path.format(**{name: quote(text, safe="")
                               for name, text in named.items()}),
                query, body, form,
            ),
            st.fixed_dictionaries(places), query, body,
        )  # fmt: skip

    def _text(self, parameter: Mapping[str, Any]) -> SearchStrategy[str]:
        value = self.value(parameter["schema"], 0, parameter["name"])
        spelt = value.map(lambda v: v if isinstance(v, str) else json.dumps(v))
        return spelt.map(lambda text: text.encode("utf-8", "replace").decode()).filter(bool)

    def value(
        self, schema: Mapping[str, Any], depth: int = 0, name: str = ""
    ) -> SearchStrategy[Any]:
        """A value of a schema; now and then, at any depth, one that it does not allow."""
        return st.integers(0, _ODD).flatmap(
            lambda dice: ANYTHING if not dice else st.deferred(
                lambda: self._good(schema, depth, name)
            )
        )  # fmt: skip

    def _good(self, schema: Mapping[str, Any], depth: int, name: str) -> SearchStrategy[Any]:
        if name in self._known:
            return st.sampled_from(self._known[name])
        if "$ref" in schema:
            return self._good(self._schemas[schema["$ref"].rpartition("/")[2]], depth, name)
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return st.one_of([self._good(part, depth, name) for part in schema[key]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if depth > _DEPTH:
            return st.none()
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return st.lists(self.value(schema.get("items", {}), depth + 1), max_size=3)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "integer" | "number" as kind:
                return _number(schema, kind == "integer")
            case "string":
                return _string(schema)
        return ANYTHING

    def _object(self, schema: Mapping[str, Any], depth: int) -> SearchStrategy[Any]:
        fields = {
            name: self.value(of, depth + 1, name)
            for name, of in schema.get("properties", {}).items()
        }
        needed = set(schema.get("required", ()))
        # Most optional fields are left out: with all of them nothing would ever be accepted.
        return st.sets(st.sampled_from(sorted(fields) or [""]), max_size=3).flatmap(
            lambda chosen: st.fixed_dictionaries(
                {name: of for name, of in fields.items() if name in needed | chosen}
            )
        )


def _number(schema: Mapping[str, Any], whole: bool) -> SearchStrategy[Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    if whole:
        return st.integers(low, high)
    return st.floats(low, high) | st.integers(-2, 2)


def _string(schema: Mapping[str, Any]) -> SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda moment: moment.isoformat())
    short = schema.get("minLength", 0)
    return st.text(st.characters(), min_size=short, max_size=min(schema.get("maxLength", 40), 60))

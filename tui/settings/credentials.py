"""Keys of endpoints: environment, then keyring, then a file that only its owner can read."""

from __future__ import annotations

import hmac
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

import tomli_w

from tui.domain.errors import MissingError, PapertuneError, UsageError
from tui.storage import atomic
from tui.storage.locations import config_dir

Place = Literal["environment", "keyring", "file"]

_SERVICE = "papertune"
_SHOWN = 4
_SHORTEST_SHOWN = 12  # four characters of a shorter key would be too much of it
_KEY = re.compile(r"[\x21-\x7e]{1,1000}")


class SecretStr:
    """A key that shows itself as its last four characters and nowhere else.

    It is no `str`, so it cannot slip into a format, a log line or a JSON document; it refuses to
    be pickled. `reveal` is called where the request's header is written.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    @property
    def hint(self) -> str:
        """`…abcd`, or `…` for a key too short to show a part of."""
        return "…" + (self._value[-_SHOWN:] if len(self._value) >= _SHORTEST_SHOWN else "")

    def __repr__(self) -> str:
        return f"SecretStr({self.hint})"

    def __str__(self) -> str:
        return self.hint

    def __format__(self, spec: str) -> str:
        return format(self.hint, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretStr):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> SecretStr:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SecretStr:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A key cannot be pickled.")


class Credentials:
    """Finds, stores and forgets the keys of endpoints.

    `folder` holds `credentials.toml`; `environment` is read at each call, so a changed variable
    counts at once. A keyring that is missing, locked or hangs is passed over after
    `keyring_seconds`, and then not asked again by this object.
    """

    def __init__(
        self,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        keyring_seconds: float = 3.0,
    ) -> None:
        self._folder = folder
        self._environment = os.environ if environment is None else environment
        self._keyring_seconds = keyring_seconds
        self._keyring_works = True

    @property
    def file(self) -> Path:
        """Where keys lie that were stored in a file."""
        return (self._folder or config_dir()) / "credentials.toml"

    def get(self, endpoint: str) -> SecretStr | None:
        """The key of an endpoint, or None; raises UsageError when the file is open to others."""
        return self._find(endpoint)[0]

    def where(self, endpoint: str) -> Place | None:
        """Where `get` finds the key."""
        return self._find(endpoint)[1]

    def set(self, endpoint: str, key: str, place: Literal["keyring", "file"]) -> None:
        """Store a key; raises UsageError for one that cannot be a key, without repeating it."""
        value = _checked(key, "The key")
        if place == "file":
            self._write({**self._read(), endpoint: value})
            return
        self._keyring_works = True
        done, _ = self._keyring(lambda ring: ring.set_password(_SERVICE, endpoint, value))
        if not done:
            raise MissingError(
                "There is no working keyring on this machine.",
                'Store the key in a file instead, or install one: pip install "papertune[keyring]"',
            )

    def forget(self, endpoint: str) -> None:
        """Remove the key from keyring and file.

        Raises PapertuneError when it stands in the environment, which only the user can change.
        """
        keys = self._read()
        if keys.pop(endpoint, None) is not None:
            self._write(keys)
        if self._from_keyring(endpoint) is not None:
            self._keyring(lambda ring: ring.delete_password(_SERVICE, endpoint))
        for name in variables(endpoint):
            if self._environment.get(name):
                raise PapertuneError(
                    f"The key of '{endpoint}' stands in the environment variable {name}.",
                    f"Take it out there: unset {name}",
                )

    def _find(self, endpoint: str) -> tuple[SecretStr | None, Place | None]:
        for name in variables(endpoint):
            if value := self._environment.get(name, "").strip():
                return SecretStr(_checked(value, f"The value of {name}")), "environment"
        if stored := self._from_keyring(endpoint):
            return SecretStr(stored), "keyring"
        if written := self._read().get(endpoint):
            return SecretStr(written), "file"
        return None, None

    def _from_keyring(self, endpoint: str) -> str:
        done, value = self._keyring(lambda ring: ring.get_password(_SERVICE, endpoint))
        return value if done and isinstance(value, str) else ""

    def _keyring(self, call: Callable[[Any], Any]) -> tuple[bool, Any]:
        """Call the keyring in a thread; a desktop that waits for a click must not stop us."""
        if not self._keyring_works:
            return False, None
        outcome: list[Any] = []

        def ask() -> None:
            try:
                import keyring

                outcome.append(call(keyring))
            except Exception:
                return  # missing, locked or broken: all mean that there is no key in it

        thread = threading.Thread(target=ask, name="keyring", daemon=True)
        thread.start()
        thread.join(self._keyring_seconds)
        if not outcome:
            self._keyring_works = False
            return False, None
        return True, outcome[0]

    def _read(self) -> dict[str, str]:
        path = self.file
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise UsageError(
                        f"{path} can be read by others (mode {mode:04o}), so its keys are not "
                        "used.",
                        f"Try: chmod 600 {path}  and make new keys if others had access.",
                    )
                document = tomllib.load(file)
        except FileNotFoundError:
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            # The parser's message may quote the line, and with it a key.
            raise UsageError(
                f"{path} is not TOML.", 'Write one line per endpoint: mistral = "KEY"'
            ) from None
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}.", f"Try: ls -l {path}"
            ) from error
        keys = {}
        for name, value in document.items():
            if not isinstance(value, str):
                raise UsageError(f"{path}: the key of '{name}' is not text.", f"Edit {path}.")
            keys[name] = _checked(value, f"{path}: the key of '{name}'")
        return keys

    def _write(self, keys: dict[str, str]) -> None:
        folder = self.file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if keys:
            atomic.write_text(self.file, tomli_w.dumps(keys), mode=atomic.PRIVATE)
        else:
            self.file.unlink(missing_ok=True)


def variables(endpoint: str) -> tuple[str, ...]:
    """The environment variables that may hold an endpoint's key, the first one found counts."""
    own = "PAPERTUNE_KEY_" + re.sub(r"[^A-Z0-9]+", "_", endpoint.upper())
    return ("MISTRAL_API_KEY", own) if endpoint == "mistral" else (own,)


def _checked(key: str, what: str) -> str:
    """A key without surrounding blanks; a line break or blank inside would forge a header."""
    value = key.strip()
    if not _KEY.fullmatch(value):
        raise UsageError(
            f"{what} is empty or holds characters that no key has.", "Copy it again, in one piece."
        )
    return value

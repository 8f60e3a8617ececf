"""The user's settings: one TOML file, read with care and written whole.

Only what differs from the default stands in the file, so that a better default of a
later version reaches the user; comments that the user wrote into it stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medassist.core.errors import SettingsError
from medassist.core.files import read_text, write_whole
from medassist.core.settings_file import NETWORK, read_settings_file, settings_file
from medassist.core.values import EngineOptions, Mode, Sampling
from medassist.core.way_out import WayOut


class Settings(BaseModel):
    """Settings of the user. A file with an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    theme: str = "medassist-dark"
    """Colours of the screen, by the name that the palette shows."""
    mode: Mode = "together"
    """The panes write in turns, token by token, or one answer after the other."""
    keys: dict[str, str] = {}
    """Keys of one's own: the name of a binding, and the key that it gets."""
    sampling: Sampling = Sampling()
    """How the next token is chosen; max_tokens = 0 writes until the answer ends, and
    max_thought_tokens = 0 lets a thought go on as long as an answer has room."""
    context: int | None = Field(default=None, ge=64)
    """Tokens that each pane can hold; left out, as the model says, at most 4096."""
    kv: Literal["f16", "q8_0"] = "f16"
    """Type of the KV cache; q8_0 halves its memory and is slower on a CPU."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that compute; left out, the physical cores."""
    gpu_layers: int | None = Field(default=None, ge=0)
    """Layers on the GPU; left out, all of them where there is one."""
    scroll_together: bool = True
    """Both panes show the same place while one of them is scrolled."""
    figures: bool = False
    """Speed, TTFT, context and quantization stand in the heads of the panes, threads
    and memory in the line at the top."""
    records: Literal["ask", "at-start", "never"] = "ask"
    """Save consultations when asked to, ask for it at the start, or have no records:
    then nothing of a consultation is written to the disk, unless it is exported."""
    records_in_keyring: bool = False
    """The system's keyring opens the records at the start; a lock still asks."""
    lock_minutes: int = Field(default=10, ge=0)
    """The screen is locked after so many minutes without a key; 0: never."""
    clipboard_seconds: int = Field(default=60, ge=0)
    """Seconds until a copied text is taken off the clipboard; 0: it stays there."""
    network: WayOut = WayOut()
    """Connection for downloads that are asked for: a proxy, and own certificates."""
    intended_use_accepted: int = Field(default=0, ge=0)
    """The version of the intended use that the user has accepted; 0: none."""
    intended_use_told: int = Field(default=0, ge=0)
    """The version of it that `medassist ask` has said; it accepts nothing."""

    @property
    def engine_options(self) -> EngineOptions:
        """Options with which these settings load a pair."""
        return EngineOptions(
            context=self.context,
            threads=self.threads,
            gpu_layers=self.gpu_layers,
            kv=self.kv,
        )


def load_settings() -> Settings:
    """The user's settings, or the defaults where there is no file.

    Raises:
        SettingsError: the file cannot be read, is no TOML, or holds a key or a
            value that is not known.
    """
    written = read_settings_file()
    try:
        return Settings.model_validate(_from_toml(written.values))
    except ValidationError as error:
        known = {
            "": list(Settings.model_fields),
            "sampling": [field.name for field in fields(Sampling)],
            NETWORK: [field.name for field in fields(WayOut)],
        }
        raise written.refusal(error, known) from None


def save_settings(settings: Settings) -> None:
    """Write `settings`, whole or not at all, for the user's eyes only (0600).

    Raises:
        SettingsError: the file cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    file = settings_file()
    try:
        old = read_text(file)
    except (OSError, UnicodeDecodeError):
        old = ""
    try:
        document = tomlkit.parse(old)
    except ParseError:
        document = tomlkit.document()
    _update(
        cast("dict[str, Any]", document),
        _to_toml(settings.model_dump()),
        _to_toml(Settings().model_dump()),
    )
    try:
        write_whole(file, tomlkit.dumps(document))  # pyright: ignore[reportUnknownMemberType]
    except OSError as error:
        raise SettingsError(
            f"{file}: the settings cannot be written: {error.strerror}."
        ) from None


# TOML has no null. A key that is left out stands for None; only these have another
# default, so there 0 says it.
_ZERO_IS_NONE = ("max_tokens", "max_thought_tokens")


def _from_toml(values: dict[str, Any]) -> dict[str, Any]:
    sampling: object = values.get("sampling")
    if not isinstance(sampling, dict):
        return values
    said = cast("dict[str, Any]", sampling)
    none = {name: None for name in _ZERO_IS_NONE if said.get(name) == 0}
    return {**values, "sampling": {**said, **none}} if none else values


def _to_toml(values: dict[str, Any]) -> dict[str, Any]:
    sampling = dict(values["sampling"])
    for name in _ZERO_IS_NONE:
        sampling[name] = sampling[name] or 0
    sampling["stop"] = list(sampling["stop"])
    return {**values, "sampling": sampling}


def _update(
    table: dict[str, Any], values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """Bring `table` to `values`; what is at its default and not in it stays out."""
    for key in set(table) - set(values):
        del table[key]
    for key, value in values.items():
        default = defaults.get(key)
        if value is None:
            table.pop(key, None)
        elif isinstance(value, dict):
            inner = table.get(key)
            part = cast("dict[str, Any]", inner if isinstance(inner, dict) else {})
            nested = cast("Mapping[str, Any]", value)
            _update(part, nested, cast("Mapping[str, Any]", default or {}))
            if part and key not in table:
                table[key] = part
        elif (key in table or value != default) and table.get(key) != value:
            table[key] = value

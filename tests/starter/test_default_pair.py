"""One function says which files the default pair has, and everybody asks it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medassist import starter
from medassist.bench.targets import named
from medassist.bench.work import Wishes
from medassist.commands.bench.measurement import chosen
from medassist.commands.bench.request import BenchRequest
from medassist.commands.front_door import app as medassist
from medassist.core.card import read_card
from medassist.core.files import sha256_of_file
from medassist.core.progress import unwatched
from medassist.core.run_folder import OWN_CARD, card_of
from medassist.core.values import PairFiles, Sampling
from medassist.doctor.models import models
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.settings import Settings
from medassist.starter import NOTICE, SMALL_NOTICE, default_pair, demonstration
from medassist.starter.fetch import get, remove
from medassist.starter.open_base import SMOLLM2, OpenBase
from tests.starter.conftest import Package
from tests.stubs.engine import FakeEngines
from tests.tiny_models import TinyPair
from tests.tui.page import opened

ROOT = Path(__file__).parents[2]


def fetched(base: OpenBase, tiny: TinyPair) -> Path:
    return get(base, unwatched, lambda _: None, source=tiny.base).file


def said(*arguments: str) -> str:
    done = CliRunner().invoke(medassist, arguments)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


# Which pair it is


def test_with_base_and_adapter_it_is_the_open_base_with_our_adapter(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    plain = package.give("plain")
    base = fetched(tiny_base, tiny)
    pair = default_pair()
    assert (pair.base, pair.adapter, pair.kind) == (base, plain, "plain")
    assert pair.is_open and not pair.lacking
    activated = package.give("activated")
    assert default_pair().adapter == activated
    assert default_pair().kind == "activated"


def test_without_the_base_it_is_the_small_pair_and_says_what_to_do(
    package: Package, tiny_base: OpenBase
) -> None:
    package.give("plain")
    pair = default_pair()
    assert pair.base == package.folder / "base-q8_0.gguf"
    assert not pair.is_open
    assert "Tiny-Open-Instruct is not on this computer" in pair.lacking
    assert "medassist starter get" in pair.lacking


def test_without_an_adapter_there_is_nothing_that_the_user_could_do(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    fetched(tiny_base, tiny)
    pair = default_pair()
    assert not pair.is_open and not pair.lacking
    assert "has no adapter on Tiny-Open-Instruct" in pair.told


def test_a_base_of_another_size_is_not_opened(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    package.give("plain")
    base = fetched(tiny_base, tiny)
    with base.open("ab") as file:
        file.write(b"x")
    assert not default_pair().is_open
    assert f"has {tiny_base.bytes + 1:,} bytes" in default_pair().lacking


def test_what_the_user_has_set_stands_and_the_rest_suits_the_pair() -> None:
    small = starter.small_pair()
    assert small.sampling_for(Sampling()).max_tokens == 512
    own = small.sampling_for(Sampling(temperature=0.0, max_tokens=7))
    assert (own.temperature, own.max_tokens) == (0.0, 7)


# Who asks it


async def test_the_screen_opens_the_open_pair_and_without_its_base_the_small_one(
    package: Package, tiny: TinyPair, tiny_base: OpenBase, home: Path
) -> None:
    accept(home)
    plain = package.give("plain")
    base = fetched(tiny_base, tiny)
    engines = FakeEngines()
    async with opened(engines, Choice()) as page:
        assert page.session.pair.files == PairFiles(base=base, adapter=plain)
        assert NOTICE in " ".join(page.seen.split())
        assert "starter get" not in page.seen
    remove(tiny_base, lambda _: None)
    async with opened(engines, Choice()) as page:
        assert page.session.pair.files == starter.small_pair().files
        assert SMALL_NOTICE in " ".join(page.seen.split())
        await page.until(lambda: "starter get" in page.seen + page.told)


def test_ask_asks_the_open_pair_and_without_its_base_the_small_one(
    package: Package,
    tiny: TinyPair,
    tiny_base: OpenBase,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept(home)
    # It holds for a whole process, and this one goes on.
    monkeypatch.setattr("medassist.engine.confine.forbid_core_dumps", lambda: None)
    question = ("ask", "Asthma?", "--max-tokens", "3", "--threads", "1")
    package.give("plain")
    fetched(tiny_base, tiny)
    text = said(*question)
    assert text.startswith(NOTICE)
    assert "## base: Tiny-Open-Instruct" in text
    assert "with smollm2-135m-plain.gguf" in text
    assert "starter get" not in text
    remove(tiny_base, lambda _: None)
    text = said(*question)
    assert SMALL_NOTICE in text
    assert "medassist-starter" in text
    assert "The starter pair is the small pair, since" in text
    assert "`medassist starter get` fetches it" in text


def test_doctor_says_which_pair_is_opened_and_why(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    package.give("plain")
    base = fetched(tiny_base, tiny)
    found = models(Settings())
    assert not [f for f in found if f.level != "ok"]
    assert found[0].text.startswith("The starter pair is Tiny-Open-Instruct")
    assert str(base.parent) in found[0].text
    remove(tiny_base, lambda _: None)
    first = models(Settings())[0]
    assert first.level == "note" and first.do == "medassist starter get"
    assert "the small pair, since Tiny-Open-Instruct is not on this" in first.text


def test_doctor_finds_a_base_or_an_adapter_that_was_changed(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    plain = package.give("plain")
    base = fetched(tiny_base, tiny)
    for file in (base, plain):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    wrong = [f for f in models(Settings()) if f.level == "wrong"]
    assert [f.do for f in wrong if base.name in f.text] == ["medassist starter get"]
    assert any(plain.name in f.text and "not what was shipped" in f.text for f in wrong)


def test_the_list_of_models_names_the_pair_that_is_opened_and_why(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    package.give("plain")
    fetched(tiny_base, tiny)
    text = said("models", "list", "--no-ollama")
    assert "starter Tiny-Open-Instruct + smollm2-135m-plain" in text
    assert "pulled tiny-open 1.2" in said("models", "show", "starter")
    assert "licence Apache-2.0" in said("models", "show", "starter")
    assert said("models", "check", "starter").startswith("starter:")
    remove(tiny_base, lambda _: None)
    text = said("models", "list", "--no-ollama")
    assert "starter base-q8_0 + adapter-activated" in text
    assert "starter is the small pair, since Tiny-Open-Instruct is not on" in text


def test_bench_measures_the_open_pair_and_without_its_base_the_small_one(
    package: Package, tiny: TinyPair, tiny_base: OpenBase, home: Path
) -> None:
    plain = package.give("plain")
    base = fetched(tiny_base, tiny)
    rows = [(base, None), (base, plain)]
    assert named("starter") == rows
    assert [(t.model, t.adapter) for t in chosen(BenchRequest(Wishes()))] == rows
    remove(tiny_base, lambda _: None)
    small = starter.small_pair()
    assert named("starter") == [(small.base, None), (small.base, small.adapter)]


async def test_a_pair_of_the_screen_is_called_as_its_makers_call_it(
    package: Package, tiny: TinyPair, tiny_base: OpenBase
) -> None:
    package.give("plain")
    fetched(tiny_base, tiny)
    pair = Pair(Choice(), FakeEngines())
    await pair.load(Settings())
    assert pair.notice == NOTICE
    assert pair.demonstration == {"base", "tuned"}
    await pair.close()


def test_its_files_are_a_demonstration_under_whatever_name_they_are_opened(
    package: Package, tiny: TinyPair, tiny_base: OpenBase, tmp_path: Path
) -> None:
    plain = package.give("plain")
    base = fetched(tiny_base, tiny)
    link = tmp_path / "mine.gguf"
    link.symlink_to(base)
    by_link = demonstration(PairFiles(base=link, adapter=plain))
    assert by_link.panes == {"base", "tuned"} and by_link.notice == NOTICE
    relative = Path(os.path.relpath(starter.small_pair().base))
    assert demonstration(PairFiles(base=relative)).notice == SMALL_NOTICE
    own = demonstration(PairFiles(base=tiny.base, adapter=tiny.plain))
    assert not own.panes and not own.notice
    beside = demonstration(PairFiles(base=tiny.base, tuned=base))
    assert beside.panes == {"tuned"}


# What is said of it


def test_the_notice_warns_more_of_the_pair_that_is_easier_to_believe() -> None:
    for notice in (NOTICE, SMALL_NOTICE):
        assert "demonstration" in notice
        assert "not for clinical use" in notice
    assert "one answer in three is wrong" in NOTICE


def test_the_notice_file_names_the_model_its_licence_and_where_it_is_from() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    for fact in (
        SMOLLM2.name,
        SMOLLM2.makers,
        f"{SMOLLM2.package} {SMOLLM2.version}",
        "Apache License, Version 2.0",
        "not part of this distribution",
    ):
        assert fact in notice


@pytest.mark.parametrize("name", starter.OWN_ADAPTERS.values())
def test_the_card_of_our_adapter_says_that_the_base_is_not_ours(name: str) -> None:
    adapter = starter.FOLDER / name
    if not adapter.is_file():
        pytest.skip(f"{name} is not part of the program yet")
    own = adapter.with_suffix(OWN_CARD)
    assert card_of(adapter) == own, "it needs a card of its own"
    card = read_card(own)
    assert card.lineage.gguf[name] == sha256_of_file(adapter)
    assert card.tuned_from is not None
    assert SMOLLM2.name in card.tuned_from.name
    assert card.tuned_from.licence.lower() == SMOLLM2.licence.lower()
    assert SMOLLM2.sha256 in card.tuned_from.files.values()


def test_what_is_known_of_the_real_base_is_so(real_base: Path) -> None:
    assert real_base.stat().st_size == SMOLLM2.bytes
    assert sha256_of_file(real_base) == SMOLLM2.sha256


def test_the_requirements_pin_the_package_and_its_wheel() -> None:
    pinned = SMOLLM2.requirements.read_text("utf-8")
    assert f"{SMOLLM2.package}=={SMOLLM2.version}" in pinned
    assert SMOLLM2.wheel_sha256 in pinned


def accept(home: Path) -> None:
    settings = home / "config" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION}\n")

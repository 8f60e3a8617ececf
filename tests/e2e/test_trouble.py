from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import StartTerminal
from tests.tiny_models import TinyPair, random_adapter, write_adapter


def test_a_killed_model_is_told_and_started_again(consult: StartTerminal) -> None:
    shown = consult()
    shown.until_ready()
    for model in shown.models:
        model.kill()
        model.wait()
    shown.ask("Still there?")
    shown.until(lambda screen: "it is started again" in screen)
    screen = shown.until_answered()
    assert screen.count("Still there?") == 2


def test_a_broken_file_is_a_sentence_on_the_screen(
    starts: StartTerminal, pair: TinyPair, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(pair.base.read_bytes()[: pair.base.stat().st_size // 2])
    shown = starts("--base", broken)
    shown.until(lambda screen: "not loaded" in screen)
    shown.until(lambda screen: "broken.gguf" in screen)
    shown.press("C-q")
    assert "left with 0" in shown.until_left()


def test_a_damaged_file_is_named_in_the_panes_and_answers_nothing(
    starts: StartTerminal, pair: TinyPair, tmp_path: Path
) -> None:
    adapter = random_adapter(pair.weights, 3)
    adapter["blk.0.attn_q.weight.lora_b"][0, 0] = float("nan")
    write_adapter(tmp_path / "torn.gguf", adapter)
    shown = starts("--base", pair.base, "--adapter", tmp_path / "torn.gguf")
    shown.until_ready()
    shown.ask("Still there?")
    shown.until(lambda screen: "the adapter is damaged" in " ".join(screen.split()))


def test_a_window_of_20_by_5_is_lived_with(consult: StartTerminal) -> None:
    shown = consult(width=20, height=5)
    shown.until(lambda screen: "make the" in screen)
    shown.ask("Small?")
    shown.resize(80, 24)
    shown.until_answered()
    shown.resize(20, 5)
    shown.until(lambda screen: "make the" in screen)
    shown.resize(80, 24)
    # For a moment the panes are still those of the narrow window, with the
    # question named above them as well.
    shown.until(
        lambda screen: screen.count("whole") == 2 and screen.count("Small?") == 2
    )


def test_bytes_that_are_no_text_are_shown_and_end_nothing(
    consult: StartTerminal,
) -> None:
    shown = consult()
    shown.until_ready()
    shown.send("Fever 39".encode("latin-1") + b"\xb0, caf\xe9 au lait")
    shown.until(lambda screen: "Fever 39\ufffd, caf\ufffd au lait" in screen)
    shown.press("Enter")
    shown.until_answered()

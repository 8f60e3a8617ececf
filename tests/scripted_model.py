"""A model of one layer that writes a given text, whatever it is asked.

Its attention and feed-forward parts are zero, so that the next token hangs on the last
one alone: each token's row of the head points at the embedding of the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

GO = "<|go|>"
"""The token that a template writes last: the script begins behind it."""
END = "</s>"
WIDTH, FEED_FORWARD, HEADS, STRENGTH = 256, 64, 4, 20.0
Kind = gguf.TokenType
GENERATION = "{% if add_generation_prompt %}" + GO + "{% endif %}"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n" + GO + "{% "
    "endif %}"
)


def write_scripted_model(
    path: Path,
    pieces: Sequence[str],
    *,
    template: str | None = None,
    control: Sequence[str] = (),
    added: Sequence[str] = (),
    ends: bool = True,
) -> Path:
    """Write the GGUF at `path`.

    Args:
        path: of the file.
        pieces: what it writes, a token each; no two alike. Behind the last one it ends
            the text, where `ends` says that its file names an end token.
        template: its chat template, which has to write `GO` last.
        control: those of its tokens, in `pieces` or not, that are control tokens.
        added: those that are tokens of a user's.
    """
    tokens: dict[str, int] = {"<unk>": Kind.UNKNOWN, "<s>": Kind.CONTROL}
    tokens |= {END: Kind.CONTROL, GO: Kind.CONTROL}
    tokens |= {f"<0x{byte:02X}>": Kind.BYTE for byte in range(256)}
    tokens |= dict.fromkeys((*control,), Kind.CONTROL)
    tokens |= dict.fromkeys((*added,), Kind.USER_DEFINED)
    written = [piece.replace(" ", "\u2581") for piece in pieces]
    assert len(set(written)) == len(written)
    for piece in ("\u2581", *written):
        tokens.setdefault(piece, Kind.NORMAL)
    number = {token: place for place, token in enumerate(tokens)}

    rows = np.random.default_rng(1).standard_normal((len(tokens), WIDTH))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    head = np.zeros_like(rows)
    chain = [GO, *written, END]
    for before, after in pairwise(chain):
        head[number[after]] = STRENGTH * rows[number[before]]

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Scripted")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*tokens])
    writer.add_token_scores([-float(place) for place in range(len(tokens))])
    writer.add_token_types([*tokens.values()])
    writer.add_bos_token_id(number["<s>"])
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    if ends:
        writer.add_eos_token_id(number[END])
    if template is not None:
        writer.add_chat_template(template)
    one = np.ones(WIDTH, np.float32)
    square = np.zeros((WIDTH, WIDTH), np.float32)
    tall = np.zeros((FEED_FORWARD, WIDTH), np.float32)
    tensors = {"token_embd": rows, "output_norm": one, "output": head}
    tensors |= {"blk.0.attn_norm": one, "blk.0.ffn_norm": one}
    tensors |= {f"blk.0.attn_{which}": square for which in ("q", "k", "v", "output")}
    tensors |= {"blk.0.ffn_gate": tall, "blk.0.ffn_up": tall}
    tensors["blk.0.ffn_down"] = np.ascontiguousarray(tall.T)
    for name, values in tensors.items():
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

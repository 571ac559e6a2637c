"""Models of pictures and text whose text model runs from token ids."""

from __future__ import annotations

from .experts import EXPERTS
from .latent import MIXTURE
from .plain import PLAIN
from .recurrent import LFM2
from .sizes import ATTENTION, CONTEXT, VOCABULARY, WINDOW, Config
from .windows import GEMMA3_TEXT, GEMMA4_TEXT, MINISTRAL3

_LLAMA: Config = {"model_type": "llama", **PLAIN["llama"]}

WRAPPERS: dict[str, Config] = {
    "gemma3": {"text_config": {"model_type": "gemma3_text", **GEMMA3_TEXT}, "vocab_size": VOCABULARY},
    "gemma4": {"text_config": {"model_type": "gemma4_text", **GEMMA4_TEXT}, "vocab_size": VOCABULARY},
    "kimi_k25": {"text_config": {"model_type": "deepseek_v3", **MIXTURE}},
    "kimi_vl": {"text_config": {"model_type": "deepseek_v3", **MIXTURE}},
    "lfm2-vl": {"text_config": {"model_type": "lfm2", **LFM2}},
    "llama4": {
        "text_config": {
            **ATTENTION,
            "attention_bias": False,
            "attention_chunk_size": WINDOW,
            "floor_scale": 4,
            "head_dim": 16,
            "interleave_moe_layer_step": 2,
            "intermediate_size_mlp": 96,
            "max_position_embeddings": CONTEXT,
            "model_type": "llama4_text",
            "num_experts_per_tok": 1,
            "num_hidden_layers": 4,
            "num_local_experts": 4,
            "rope_scaling": None,
            "rope_theta": 1e4,
            "use_qk_norm": True,
        },
    },
    "minimax_m3_vl": {
        "text_config": {
            **ATTENTION,
            "dense_intermediate_size": 96,
            "head_dim": 16,
            "intermediate_size": 32,
            "max_position_embeddings": CONTEXT,
            "mlp_layer_types": ["dense", "sparse", "dense"],
            "model_type": "minimax_m3",
            "num_experts_per_tok": 2,
            "num_hidden_layers": 3,
            "num_local_experts": 4,
            "rope_theta": 1e4,
            "shared_intermediate_size": 32,
            "sparse_attention_config": {
                "sparse_attention_freq": [0, 1, 1],
                "sparse_block_size": 4,
                "sparse_index_dim": 16,
                "sparse_local_block": 1,
                "sparse_num_index_heads": 2,
                "sparse_topk_blocks": 2,
            },
        },
    },
    "mistral3": {"text_config": {"model_type": "ministral3", **MINISTRAL3}},
    "pixtral": {"text_config": _LLAMA},
    "qwen2_vl": {"text_config": {"model_type": "qwen2", **PLAIN["qwen2"]}},
    "qwen3_vl": {"text_config": {"model_type": "qwen3", **PLAIN["qwen3"]}},
    "qwen3_vl_moe": {"text_config": {"model_type": "qwen3_moe", **EXPERTS["qwen3_moe"]}},
}

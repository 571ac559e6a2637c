"""Attention over latents: keys and values are projected down, and some layers pick the keys that they read."""

from __future__ import annotations

from .sizes import ATTENTION, CONTEXT, VOCABULARY, WINDOW, Config

LATENT_HEADS: Config = {
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
}
_DENSE: Config = {
    **ATTENTION,
    **LATENT_HEADS,
    "max_position_embeddings": CONTEXT,
    "num_key_value_heads": 4,
}
MIXTURE: Config = {
    **_DENSE,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 32,
    "n_group": 2,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "topk_group": 1,
}
"""One dense layer and one of experts, in DeepSeek's manner."""
_INDEXER: Config = {"index_head_dim": 16, "index_n_heads": 8, "index_topk": 6}
"""Each query reads 6 keys, so that even short texts are cut."""
_LONGCAT: Config = {
    **LATENT_HEADS,
    "attention_bias": False,
    "expert_ffn_hidden_size": 32,
    "ffn_hidden_size": 96,
    "hidden_size": 64,
    "max_position_embeddings": CONTEXT,
    "mla_scale_kv_lora": True,
    "mla_scale_q_lora": True,
    "moe_topk": 2,
    "n_routed_experts": 4,
    "num_attention_heads": 4,
    "num_layers": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1e4,
    "routed_scaling_factor": 1.5,
    "vocab_size": VOCABULARY,
    "zero_expert_num": 2,
    "zero_expert_type": "identity",
}

LATENT: dict[str, Config] = {
    "deepseek_v2": {
        **MIXTURE,
        "rope_scaling": {
            "beta_fast": 32,
            "beta_slow": 1,
            "factor": 4.0,
            "mscale": 0.7,
            "mscale_all_dim": 0.7,
            "original_max_position_embeddings": CONTEXT // 4,
            "type": "yarn",
        },
        "topk_method": "group_limited_greedy",
    },
    "deepseek_v3": {**MIXTURE},
    "deepseek_v32": {**MIXTURE, **_INDEXER},
    "deepseek_v41": {
        # Widths that are no multiples of 16 switch the rounding of keys to 8 and 4 bits off: it turns the last bit
        # of a float32 into a step.
        "candidate_block_size": 2,
        "candidate_source_layer_id": 1,
        "candidate_topk_blocks": 3,
        "compress_ratios": [0, 2, 2, 2],
        "head_dim": 24,
        "hidden_size": 64,
        "hc_mult": 2,
        "hc_sinkhorn_iters": 4,
        "index_head_dim": 24,
        "index_n_heads": 8,
        "index_source_layer_ids": [1, 3],
        "index_topk": 4,
        "kv_source_layer_ids": [1],
        "max_position_embeddings": CONTEXT,
        "moe_intermediate_size": 32,
        "n_routed_experts": 4,
        "num_attention_heads": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 4,
        "o_groups": 2,
        "o_lora_rank": 24,
        "q_lora_rank": 24,
        "qk_rope_head_dim": 8,
        "rms_norm_eps": 1e-6,
        "sliding_window": WINDOW,
        "vocab_size": VOCABULARY,
    },
    "glm4_moe_lite": {**MIXTURE},
    "glm_moe_dsa": {
        **MIXTURE,
        **_INDEXER,
        "attention_bias": False,
        "moe_layer_freq": 1,
        "norm_topk_prob": True,
        "rope_parameters": {"rope_theta": 1e4, "rope_type": "default"},
        "routed_scaling_factor": 1.5,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
    },
    "longcat_flash": {**_LONGCAT, "attention_method": "MLA"},
    "longcat_flash_ngram": {
        **_LONGCAT,
        "emb_neighbor_num": 3,
        "emb_split_num": 2,
        "ngram_vocab_size_ratio": 2,
    },
    "minicpm3": {
        **_DENSE,
        "dim_model_base": 32,
        "rope_scaling": {
            "long_factor": [1.0] * 4,
            "original_max_position_embeddings": CONTEXT,
            "short_factor": [1.0] * 4,
            "type": "longrope",
        },
        "scale_depth": 1.4,
        "scale_emb": 4.0,
    },
    "mistral4": {
        **MIXTURE,
        "norm_topk_prob": True,
        "rope_parameters": {
            "llama_4_scaling_beta": 0.1,
            "original_max_position_embeddings": WINDOW,
            "rope_theta": 1e4,
            "rope_type": "default",
        },
        "routed_scaling_factor": 1.5,
    },
    "youtu_llm": {**_DENSE, "tie_word_embeddings": False},
}

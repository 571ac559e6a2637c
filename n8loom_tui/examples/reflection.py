"""The reference's example: answer, doubt the answers, answer again. On the built-in model, with shorter lengths.

Run it with `python -m n8loom_tui.examples.reflection`.
"""

from __future__ import annotations

from n8loom_tui import Loom, load

PROMPT = (
    "Tobias is buying a new pair of shoes that costs $95. He has been saving up his money each month "
    "for the past three months. He gets a $5 allowance a month. He also mows lawns and shovels driveways. "
    "He charges $15 to mow a lawn and $7 to shovel. After buying the shoes, he has $15 in change. "
    "If he mows 4 lawns, how many driveways did he shovel?"
)
DOUBT = "\n...Wait. I need to look at the problem again. Let's think about what I could've gotten wrong. I could've"


def main(max_tokens: int = 64) -> list[str]:
    """Print the answers, and return them."""
    model, tokenizer = load("smollm2")
    root = Loom(model, tokenizer, PROMPT)
    start = root.add_text_child("I will solve this problem step by step and be mindful of mistakes.")
    start.ramify(n=8, temp=0.6, max_tokens=max_tokens, min_p=0.05)
    answers: list[str] = start.apply_at_leaves(
        lambda x: x.ramify(DOUBT) if x.terminal else None,
        lambda x: x.ramify(n=2, temp=0.6, max_tokens=max_tokens, min_p=0.05),
        lambda x: x.crown(),
    )
    for number, answer in enumerate(answers, 1):
        print(f"Answer {number}:\n{answer}\n")
    return answers


if __name__ == "__main__":
    main()

"""Choice extraction by regular expressions as in evaluations of MMLU, written from its description.

Hendrycks et al. 2021 asked models for a letter. Later evaluations of written answers search for "answer is (X)", then
for "Answer: X", then for the last single capital letter. This takes the article "A" and the pronoun "I" for letters and
does not know the texts of choices. The test lists where the scorer differs.
"""

from __future__ import annotations

import re

__all__ = ["extracted_letter"]


def extracted_letter(text: str, count: int) -> str | None:
    """Return the letter of the choice that an answer names, by three expressions in turn; None if none matches."""
    letters = f"A-{chr(ord('A') + count - 1)}"
    for pattern in (rf"answer is \(?([{letters}])\b\)?", rf"[aA]nswer:\s*\(?([{letters}])\b"):
        found = re.findall(pattern, text)
        if found:
            return str(found[-1])
    standing = re.findall(rf"\b([{letters}])\b", text)
    return standing[-1] if standing else None

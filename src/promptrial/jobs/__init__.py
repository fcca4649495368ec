"""How requests become answers, each paid for once: the queue, submission, hosted and local parts, the ledger."""

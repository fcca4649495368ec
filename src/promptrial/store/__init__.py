"""Durable files of a run: atomic writes, records, receipts, the lock."""

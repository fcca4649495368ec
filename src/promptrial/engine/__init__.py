"""What runs next: it opens a run, gathers facts from the disk, follows the plan and commits receipts."""

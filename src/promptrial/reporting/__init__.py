"""Estimates to tables and pages; computes nothing."""

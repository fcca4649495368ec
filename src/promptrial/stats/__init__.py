"""Paired statistics: arrays in, estimates out."""

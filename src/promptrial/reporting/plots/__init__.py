"""Plots of results as SVG that needs nothing from elsewhere. Pure."""

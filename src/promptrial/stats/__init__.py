"""How sure a difference is: paired statistics, arrays in and estimates out."""

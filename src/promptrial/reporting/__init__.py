"""How results are told: values become tables, and tables pages. It computes no statistic."""

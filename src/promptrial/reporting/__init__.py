"""Values to tables, and tables to pages that people read. Computes no statistic: every figure was made before."""

"""Where answers come from, each behind the same narrow Protocol."""

"""Who answers: one adapter for each vendor, behind one narrow Protocol."""

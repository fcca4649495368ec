"""x"""

PHASE = None

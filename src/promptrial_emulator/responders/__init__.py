"""Who answers the rows of an emulator's jobs; ``settings.RESPONDERS`` is their table."""

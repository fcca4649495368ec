"""How results compare: two runs, or what other tools made; what differs between their arms, whether the gates hold."""

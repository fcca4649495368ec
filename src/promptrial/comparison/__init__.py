"""How two runs compare: whether they may be, what differs between their arms, and whether the gates hold."""

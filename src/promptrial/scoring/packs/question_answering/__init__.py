"""The default pack: exact match, token F1, abstention, false answers and unsupported claims."""

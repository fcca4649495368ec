"""What requests cost: prices and amounts. Pure."""

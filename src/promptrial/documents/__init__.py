"""What files hold: typed rows, their JSON Schemas and bytes, and how text from outside is read and printed safely."""

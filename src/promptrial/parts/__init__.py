"""The life of one part, from request file to sealed results, by whoever answers it; ``queue`` runs many of them."""

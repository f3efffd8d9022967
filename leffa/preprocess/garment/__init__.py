"""The garment on its product shot: where it is (product) and how long its sleeves and hem are (measure)."""

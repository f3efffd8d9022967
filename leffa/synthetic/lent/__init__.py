"""Photographs of real garments as product shots: cut out (cutouts), matched with a garment of our own and
warped onto its product shot (registration, catalogue), then framed and dyed onto the wearer (shot)."""

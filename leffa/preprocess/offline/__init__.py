"""People and masks from the installed packages alone, for the bundled weights.

To change

who is in a photo              pose (landmarks and silhouette), figure (one person at working size);
                              networks (mediapipe or LiteRT), blazepose (what lies around their models)
the body parts                 parts, body (coordinates), shape (how thick a limb is), skeleton
what is repainted              masks, areas (what a garment may fill), hem and colour_cues (what colours tell)
the errors shown to training   jitter
how they are used              preprocessor
"""

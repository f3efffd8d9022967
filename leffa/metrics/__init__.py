"""Metrics of pictures and flows. Pictures are (B, 3, H, W) in [0, 1]; sums are kept in float64."""

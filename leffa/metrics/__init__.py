"""Metrics of pictures and flows. Pictures are (B, 3, H, W) in [0, 1]; sums are kept in float64.

To change

what a pair of pictures gets          pictures (SSIM, PSNR), lpips, pattern
what two sets of pictures get         distribution (FID, KID)
what those networks see               networks; their weights: leffa.weights.metric_networks
how folders are judged, and shown     folders, sheet
how a model is judged, beside what    model, composed, flow, bars
the command                           command (`leffa evaluate`)
"""

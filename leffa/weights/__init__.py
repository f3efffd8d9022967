"""Weights: which there are, where they lie, and how they are fetched, checked and read.

To change

which weights a run can use    models
what the authors published     published
how files are fetched          downloads (``leffa download``), hub, checksums
how they become our folders    conversion
what comes out of packages     packages: pose_models (finds people), metric_networks (FID, KID, LPIPS)
how a file is read             leffa.safe_pickle; load gives it to a network
"""

"""The Leffa loss and the flow probe on models that are not ours.

Leffa needs one thing of a model: for an attention layer the queries of the person's tokens and the keys of
the reference's. The processors here compute what the stock ones compute, and hand these to an
``AttentionObserver``, the same that our own UNets take; ``leffa_loss`` and ``FlowRecorder`` never see which
model it was. Recipes are in ``docs/other-models.md``.
"""

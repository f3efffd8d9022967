"""Why a picture looks as it does: what the attention of a finished run says.

To change

what a click on the result shows   trace
which pictures a flow is shown in  views
how such a picture is drawn        pictures
the score of a flow                score

All are functions over a plain ``leffa.run.result.Result``. How sure a look is: ``leffa.model.confidence``.
"""

FLOW_PICTURES = ("overlay", "refined", "legend", "warped", "arrows", "confidence", "spread", "mass")
"""Names of what ``views.flow_pictures`` may give; "refined" only of a composed picture."""

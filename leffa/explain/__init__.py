"""Why a picture looks as it does: what the attention of a finished run says.

To change

how sure a look is             confidence
what a click on the result shows   trace
the pictures of a flow         pictures
the score of a flow            score
"""

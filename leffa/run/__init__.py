"""One run: from pictures and settings to a result.

To change

what can be asked for               settings
how a photo is framed and laid back region, seam
the order of the steps              job, and ``leffa.engine`` above it
what comes out                      result
where a model runs, and how fast    pipelines, placement, machine, speed
"""

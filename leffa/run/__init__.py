"""One run: from pictures and settings to a result.

To change

what can be asked for               settings; what each pace does in pace
how the picture is put together     compose; its networks in networks
the order of the steps              job, and ``leffa.engine`` above it
what comes out                      result
what is kept of pictures            findings; what of a photo, and how, in remembering
where a model runs, and how fast    pipelines, placement, machine, speed
"""

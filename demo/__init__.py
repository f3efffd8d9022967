"""The Gradio app: layout, events and looks. It holds no model code; all painting is ``leffa.engine``'s.

launch      settings of the process, the server
page        the whole page: header, tabs, footer
try_on, change_pose   one tab each: its steps and what happens at each event
api, endpoints   the named endpoints for programs and agents
sessions    what one visitor has on the page, and its end
painting    a run in the background: waiting in line, progress, stop
mask_choices   the mask that a visitor asks for, and the mask doctor
inspector   which place looks where
history, restoring  finished runs, and bringing them back
parts       the page's own components; their looks and hands are in ``static/``
texts       every word that is shown, in English and Chinese

Nothing heavy is imported with the page: torch, OpenCV and mediapipe come in with the first use, or with the
warm-up behind a page that is already served.
"""

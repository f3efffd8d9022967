"""Catalogues: from one picture to a hundred thousand rows of a manifest.

To change

what a row may say, how it is read    manifest
which rows are done, and in what order plan (a journal in SQLite beside the results)
what is remembered by content         leffa.run: findings (where), remembering (what of a photo, on disk)
how one row becomes a picture         painter
who does the rows                     local (this process), cluster (Ray)
the commands                          command (`leffa batch`), splits (`leffa generate`)
"""

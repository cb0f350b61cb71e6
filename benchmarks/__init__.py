"""How fast trainings are, beside other ways to run the same ones. This file imports nothing: workers need not have all.

`comparing` is where to begin: contestants, each a process of its own (`worker`), take turns, one at a time.
"""

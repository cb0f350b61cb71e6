"""Times training against other ways to run the same one. This file imports nothing: a worker may lack a library.

Start reading at `comparing`: contestants, each in a process of its own (`worker`), take turns, one at a time.
"""

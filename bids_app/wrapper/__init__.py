"""``myomids-docker``: the command line of ``run.py``, carried out in the container.

Folders keep their names inside the container, so that messages, logs and configuration files mean
the same on both sides. Nothing here imports the science.
"""

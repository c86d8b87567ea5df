"""The parts of ``tools/mutate.py``: what is changed, with which tests, in which processes."""

"""The sample app: ``app.py`` is run as a program, never imported."""

"""The SDK: one module per namespace of ``IExec``, and what they share. Enter by ``iexec_lite``."""

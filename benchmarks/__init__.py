"""What ours, its peers and the floor need for the same work, measured in turns on one machine.

``python -m benchmarks`` (``tox -e bench``) prints a table and writes RESULTS.md. Nothing here is a
test: the test suite only sees to it that everything still runs. See docs/performance.md.
"""

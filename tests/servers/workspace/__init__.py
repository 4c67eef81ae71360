"""A workspace of Databricks for tests: a server of its REST routes, over which the real SDK runs.

Nothing of the client is patched.

It keeps its state in memory, refuses what the service refuses with the service's status and error
body, pages its lists, counts the calls, and
fails on purpose. Start it with `Workspace()`, or by the fixture `workspace`; what it takes for a
request is read from the SDK's own code (`sdk_calls`).
"""

"""leapstudy: did our attendance program work, and how sure are we?

The rooms stand in the order of the study, and each imports only those before it:
core, data, students, did, evidence, report, batch, cli.
"""

__version__ = "0.1.0"

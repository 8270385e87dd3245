"""Where papers come from besides folders: identifiers, reference managers, their exports.

Nothing here is fetched unasked, and no module reaches the network but through `web`.
"""

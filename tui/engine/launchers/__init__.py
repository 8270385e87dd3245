"""Where workers run: processes of this machine, or jobs of a Slurm cluster.

`base` is the interface; `serving` is its counterpart for chat workers.
"""

"""Workers as jobs of a Slurm cluster: readable batch scripts, submitted once, found again."""

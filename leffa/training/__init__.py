"""Training: the paper's staged schedule, the Leffa loss, and runs that resume by the same command."""

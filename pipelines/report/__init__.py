"""report.html: what a finished build holds, on one page that needs nothing else."""

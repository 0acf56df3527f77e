"""What `make bench` measures: side by side in one run, as ratios and medians, since machines are noisy."""

"""Training, scores and calibration."""

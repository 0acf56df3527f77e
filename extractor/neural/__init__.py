"""The two-phase model: its forward, its encoder's input, its files."""

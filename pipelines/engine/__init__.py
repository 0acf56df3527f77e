"""How jobs run: the only room with Beam."""

"""Damaged and foreign files through the paths by which fedmed reads what users hand over."""

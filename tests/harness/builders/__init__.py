"""Valid objects of every kind, to be changed in one member by a test."""

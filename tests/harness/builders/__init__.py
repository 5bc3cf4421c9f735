"""Valid objects of every kind; a test changes one field."""

"""How this project fills its silver tables."""

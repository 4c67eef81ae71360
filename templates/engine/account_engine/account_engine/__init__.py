"""A model that is trained on silver and scores it into gold."""

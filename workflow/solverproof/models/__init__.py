"""Vector fields and the classifier around them, for a stack of seeds at once."""

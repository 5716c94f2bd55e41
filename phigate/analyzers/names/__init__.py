"""Names of people, places and organisations: gazetteers, title and label rules, a tagger, and their union."""

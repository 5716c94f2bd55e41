"""What an entry may say, and reports over entries. Pure."""

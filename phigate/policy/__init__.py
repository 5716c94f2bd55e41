"""From policy files to a bundle, and from a bundle and facts to a decision. Pure."""

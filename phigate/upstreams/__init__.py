"""Model servers in the house and models outside."""

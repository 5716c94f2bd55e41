"""SQLAlchemy: the append engine, app keys, held parts."""

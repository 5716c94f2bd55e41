"""How the embedded detector's word lists and weights are made. Nothing here is part of the wheel."""

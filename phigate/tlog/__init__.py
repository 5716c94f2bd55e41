"""RFC 6962 trees and C2SP notes, checkpoints, tiles and proofs over bytes. Knows no patients. Pure."""

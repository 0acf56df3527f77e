"""DIR: parts and how they commit, the ledger, upkeep."""

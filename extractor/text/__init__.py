"""Text to sentences and words: lines and cells no sentence leaves, scripts, languages."""

"""The language of the shell: lines, words, expressions, places and names."""

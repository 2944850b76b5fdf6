"""The study files that ship: `mnist`, `digits`, `notebook`."""

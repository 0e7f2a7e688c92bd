"""From weights to rows: a chain of sources, each of which may hold another.

A source draws encoded rows. The first link of a chain is a generator of raw rows; links around it
correct the rates of its levels, reject rows that trees tell from real ones, and meet conditions.
"""
